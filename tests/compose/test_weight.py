"""What the system costs on a real engine: processor time without load, and memory under load.

Memory is judged by what the kernel did: the limits are those of docker-compose.yml, and nothing may be ended.
The figures are those of docs/memory.md.
"""

import itertools
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from compose import cost, step
from compose.kills import MemoryKills
from compose.looks import healthy, routed
from compose.machine import Machine, among_containers
from compose.stack import Stack
from pymongo import MongoClient
from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError
from support import eventually, home

from lab.home import REPO
from lab.topology import PATHS, UNITS

pytestmark = pytest.mark.campaign
SERVICES = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
IDLE_PERCENT = 15.0
"""Of one core, without JupyterLab; the engine's own work for the health checks is reported beside it."""
MARGIN = 1.15
"""Each limit is at least so many times the peak."""
MINUTES = float(os.environ.get("LAB_SOAK_MINUTES", "5"))
USERS = {"postgresql": 999, "mongodb": 999, "redis": 999, "kafka": 1000, "consul": 100, "traefik": 0}
"""Who runs the server in the official images."""
PROGRAMS = {"postgresql": "postgres", "mongodb": "mongod", "redis": "redis-server", "kafka": "java"}


def test_comes_up(on_compose: Stack) -> None:
    on_compose.timed("build", "docker", "compose", "build", seconds=900)
    on_compose.timed("up, images there, no data", "docker", "compose", "up", "--detach", "--wait")
    assert routed() == dict.fromkeys(PATHS, 200)


@pytest.mark.parametrize("unit", USERS)
def test_servers_run_as_in_the_official_images(on_compose: Stack, unit: str) -> None:
    lines = on_compose.run("docker", "top", f"civildiy-test-{unit}-1", "-eo", "pid,uid,comm").splitlines()[1:]
    name = PROGRAMS.get(unit, unit)
    users = {int(line.split()[1]) for line in lines if line.split()[2] == name}
    assert users == {USERS[unit]}, lines


def test_letters_sort_as_on_the_native_backend(on_compose: Stack) -> None:
    asked = "SELECT DISTINCT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database"
    words = ["docker", "exec", "civildiy-test-postgresql-1", "psql", "-U", "postgres", "-Atc", asked]
    assert on_compose.run(*words).strip() == "UTF8|C.UTF-8|C.UTF-8"


def test_kafka_writes_no_log_into_its_container(on_compose: Stack) -> None:
    """Such files are lost with the container, and nothing limits their size."""
    changed = on_compose.run("docker", "diff", "civildiy-test-kafka-1").splitlines()
    assert [line for line in changed if line.endswith(".log")] == []
    assert "Kafka Server started" in on_compose.run("docker", "logs", "civildiy-test-kafka-1")


def test_idle_costs_little(on_compose: Stack) -> None:
    on_compose.compose("stop", "jupyterlab")
    time.sleep(30)  # what runs once after the start is no part of it
    found = cost.idle(on_compose, Machine(home).root)
    on_compose.compose("start", "jupyterlab")
    largest = sorted(found.each, key=lambda name: -found.each[name])
    each = ", ".join(f"{name} {found.each[name]:.1f}" for name in largest)
    on_compose.figures.append(
        f"idle: containers {found.containers:.1f} % of one core, the engine {found.engine:.1f} % ({each})"
    )
    assert found.containers <= IDLE_PERCENT


def test_no_process_is_ended_under_load(on_compose: Stack, tmp_path: Path) -> None:
    eventually(healthy, within=60, what="a healthy system to load")
    words = ["soak", "--minutes", str(MINUTES), "--out", str(tmp_path)]
    with cost.peaks(on_compose) as peaks, cost.processor(on_compose, Machine(home).root) as processor:
        try:
            command = among_containers(on_compose.lab_words(*words))
            _, said = step.run(command, on_compose.environment, MINUTES * 60 + 600, REPO)
        finally:
            ended = {name: cost.kernel_kills(each["Id"]) for name, each in cost.running(on_compose).items()}
            for name, used in sorted(peaks.bytes.items()):
                limit = SERVICES[name]["mem_limit"]
                on_compose.figures.append(f"soak: {name}: {used / cost.MIB:.0f} MiB at most, of {limit}")
    report = json.loads((tmp_path / "soak.json").read_text())
    rates = {what: report[f"{what}_per_s"] for what in ("changes", "reads")}
    on_compose.figures.append(f"soak: {MINUTES:g} minutes, {rates}, {report['verdict']}, {processor}")
    # First what this test is about: the kernel has ended nothing.
    assert set(ended) == {*UNITS, "jupyterlab"}
    assert set(ended.values()) == {0}
    for each in on_compose.all_containers():
        assert (each["State"]["OOMKilled"], each["RestartCount"]) == (False, 0), each["Name"]
    assert on_compose.memory_kills.seen == []
    assert [found for found in report["violations"] if not found.startswith("rate:")] == [], said[-3000:]
    # Two cores cannot give the whole rate. A lower one counts when the load itself has used up the processor.
    reached = rates["changes"] > 190 and rates["reads"] > 475
    assert reached or processor.saturated, f"{rates} with {processor}"
    small = {
        name: used // cost.MIB
        for name, used in peaks.bytes.items()
        if MARGIN * used > int(SERVICES[name]["mem_limit"].removesuffix("m")) * cost.MIB
    }
    assert small == {}, f"MiB at most, and the limit leaves less than {MARGIN - 1:.0%} above it"


@contextmanager
def alone(stack: Stack, unit: str) -> Iterator[tuple[str, str]]:
    """Yield a server of its own, as the file starts it and with its limit; gives its id and address."""
    service = SERVICES[unit]
    words = ["docker", "run", "--detach", "--memory", service["mem_limit"], service["image"]]
    identity = stack.run(*words, *service["command"]).split()[-1]
    try:
        address = stack.run("docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", identity)
        yield identity, address.strip()
    finally:
        stack.run("docker", "rm", "--force", "--volumes", identity)


def test_an_ended_child_process_would_be_noticed(on_compose: Stack) -> None:
    """The main process goes on, so the engine's own `OOMKilled` is not enough."""
    heard, project = MemoryKills(), "civildiy-test-greedy"
    labels = [f"com.docker.compose.{name}" for name in (f"project={project}", "service=greedy")]
    program = "python -c 'x = bytearray(10**9)'; sleep 60"
    words = ["docker", "run", "--detach", "--memory", "24m", "--label", labels[0], "--label", labels[1]]
    with heard.watched(on_compose.environment, project):
        identity = on_compose.run(*words, "civildiy-lab:local", "sh", "-c", program).split()[-1]
        try:
            eventually(lambda: "greedy" in heard.seen, within=20, what="the engine's report")
            assert cost.kernel_kills(identity) == 1
            assert json.loads(on_compose.run("docker", "inspect", identity))[0]["State"]["Running"]
        finally:
            on_compose.run("docker", "rm", "--force", identity)


def test_redis_survives_a_rewrite_of_its_log_when_it_is_full(on_compose: Stack) -> None:
    """Each page that is written during the rewrite exists twice."""
    done = threading.Event()
    with alone(on_compose, "redis") as (identity, address):
        client = Redis(host=address)
        eventually(lambda: _pong(client), within=20, what="Redis to answer")
        keys = 0
        with suppress(OutOfMemoryError):
            while True:
                _write(client, range(keys, keys + 100))
                keys += 100
        assert keys > 20_000  # of a kilobyte each
        client.delete(*range(2_000))  # room for what a write needs besides
        client.config_set("rdb-key-save-delay", 100)  # microseconds: as on a slow disk

        def overwrite() -> None:
            with Redis(host=address) as mine:
                for start in itertools.cycle(range(2_000, keys, 100)):
                    if done.is_set():
                        return
                    with suppress(OutOfMemoryError):
                        _write(mine, range(start, start + 100))

        writer = threading.Thread(target=overwrite, daemon=True)
        writer.start()
        most, copied, until = 0, 0, time.monotonic() + 30
        while time.monotonic() < until:
            now = client.info("persistence")
            copied = max(copied, int(now["current_cow_peak"]), int(now["aof_last_cow_size"]))
            most = max(most, cost.held(identity))
            if not now["aof_rewrite_in_progress"]:
                client.bgrewriteaof()
            time.sleep(0.2)
        done.set()
        writer.join(30)
        on_compose.figures.append(
            f"redis, full, rewriting: {most / cost.MIB:.0f} MiB, {copied / cost.MIB:.0f} of them copied"
        )
        assert copied > 20 * cost.MIB  # else it was no rewrite under writes
        assert cost.kernel_kills(identity) == 0
        assert client.ping()


def _write(client: Redis, keys: Iterable[int]) -> None:
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.set(str(key), "x" * 1000)
    pipeline.execute()


def _pong(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def test_mongodb_survives_a_bulk_load(on_compose: Stack) -> None:
    done = threading.Event()
    with alone(on_compose, "mongodb") as (identity, address):
        client: MongoClient[dict[str, object]] = MongoClient(address, directConnection=True, timeoutMS=60_000)
        member = {"_id": 0, "host": f"{address}:27017"}
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        eventually(lambda: client.is_primary, within=30, what="the replica set to have a primary")

        def write(number: int) -> None:
            while not done.is_set():
                batch: list[dict[str, object]] = [{"text": "x" * 1000} for _ in range(1000)]
                client.bulk[str(number)].insert_many(batch)

        writers = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(2)]
        for writer in writers:
            writer.start()
        most, until = 0, time.monotonic() + 45
        while time.monotonic() < until:
            most = max(most, cost.held(identity))
            time.sleep(0.2)
        done.set()
        for writer in writers:
            writer.join(30)
        count = sum(client.bulk[str(number)].estimated_document_count() for number in range(2))
        on_compose.figures.append(f"mongodb, bulk load of {count} documents: {most / cost.MIB:.0f} MiB")
        assert count > 10_000
        assert cost.kernel_kills(identity) == 0
        client.close()


def test_down_leaves_no_volume_without_a_name(on_compose: Stack) -> None:
    """The images declare volumes of their own; each that the file does not name would stay behind."""
    before = set(on_compose.run("docker", "volume", "ls", "--quiet").split())
    on_compose.compose("down", "--timeout", 15)
    on_compose.compose("down", "--volumes")
    left = set(on_compose.run("docker", "volume", "ls", "--quiet").split())
    assert {name for name in before if name.startswith("civildiy-test_")}
    assert left == set()
