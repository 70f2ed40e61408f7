"""Run the naive service beside the system: on an address of its own, behind the same gateway.

It uses the system's Kafka and Redis with a topic and a database of its own, and a MongoDB server of its own,
which is no replica set. All of it is removed at the end.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import consul
import httpx
from kafka.admin import NewTopic
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis import Redis

from civildiy.chassis.clients.kafka import admin
from civildiy.chassis.discovery.membership import consul_client
from lab import environment
from lab.backends.protocol import Backend
from lab.bench.naive import APPLIED, FEED
from lab.bench.side import Side
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import PLATFORM, Home
from lab.install.servers import ensure_servers
from lab.probes import local_http
from lab.progress import Progress

REDIS_DATABASE = 3
PREFIX = "/naive"
START_SECONDS = 20.0
PORT, MONGODB_PORT = 5000, 27017
SHARED = ("traefik", "kafka", "redis")
"""Units that work for both systems: their processor time counts for the one that is loaded."""
RULE = "traefik/http/routers/naive/"
ADDRESS = "traefik/http/services/naive/"


@contextmanager
def running(backend: Backend, home: Home, token: str, audience: str, progress: Progress) -> Iterator[Side]:
    """Start the naive service and its MongoDB, yield how to reach it, and remove both.

    Raises LabError when it does not start.
    """
    progress.say("bench", "starting the naive service")
    endpoints, host = backend.endpoints(), backend.listen_host()
    topic = f"naive-{secrets.token_hex(4)}"
    redis_url = f"redis://{endpoints['redis']}/{REDIS_DATABASE}"
    keys = local_http.get(f"{endpoints['gateway']}/api/auth/.well-known/jwks.json").raise_for_status().text
    settings = environment.own() | {
        "PYTHONPATH": str(PLATFORM), "NAIVE_PREFIX": PREFIX, "NAIVE_TOPIC": topic, "NAIVE_KEYS": keys,
        "NAIVE_AUDIENCE": audience, "NAIVE_MONGODB": f"mongodb://{host}:{MONGODB_PORT}/",
        "NAIVE_KAFKA": endpoints["kafka"], "NAIVE_REDIS": redis_url,
    }  # fmt: skip
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="civildiy-naive-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = stack.enter_context(Redis.from_url(redis_url))
        redis.flushdb()
        stack.callback(redis.flushdb)
        _topic(endpoints["kafka"], topic, stack)
        mongod = str(ensure_servers(home, progress).mongod)
        database = [mongod, "--dbpath", str(folder), "--bind_ip", host, "--port", str(MONGODB_PORT),
                    "--wiredTigerEngineConfigString", "cache_size=96M", "--nounixsocket"]  # fmt: skip
        python = [sys.executable, "-P", "-m"]
        web = [*python, "uvicorn", "lab.bench.naive.service:app", "--host", host, "--port", str(PORT),
               "--no-access-log"]  # fmt: skip
        shared = [unit.pid for unit in backend.units() if unit.name in SHARED and unit.pid]
        pids = [*shared, _child(database, os.environ, stack)]
        client = stack.enter_context(MongoClient[dict[str, Any]](settings["NAIVE_MONGODB"]))
        _until(lambda: client.admin.command("ping"), "the naive service's MongoDB")
        for command in (web, [*python, "lab.bench.naive.consumer"]):
            pids.append(_child(command, settings, stack))
        _route(endpoints["consul"], f"http://{host}:{PORT}", stack)
        url = f"{endpoints['gateway']}{PREFIX}"
        _until(lambda: local_http.get(f"{url}/api/activity-stream/health").raise_for_status(), url)
        posts = client["naive"]["posts"]

        def waiting() -> int:
            return posts.estimated_document_count() - int(redis.get(APPLIED) or 0)

        yield Side(url, token, pids, waiting, redis, FEED)


def _child(command: Sequence[str], settings: Mapping[str, str], stack: ExitStack) -> int:
    child = subprocess.Popen(
        command, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def end() -> None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    stack.callback(end)
    return child.pid


def _topic(bootstrap: str, topic: str, stack: ExitStack) -> None:
    broker = admin(bootstrap)
    stack.callback(broker.close)
    broker.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])
    stack.callback(broker.delete_topics, [topic])


def _route(address: str, server: str, stack: ExitStack) -> None:
    """Put the naive service behind the gateway, with the two keys that this needs."""
    host, _, port = address.removeprefix("http://").partition(":")
    kv: consul.Consul.KV = consul_client(host, int(port)).kv
    stack.callback(kv.delete, RULE, recurse=True)
    stack.callback(kv.delete, ADDRESS, recurse=True)
    kv.put(f"{ADDRESS}loadBalancer/servers/0/url", server)
    for name, value in {
        "rule": f"PathPrefix(`{PREFIX}/`)", "priority": "9000", "entryPoints/0": "web", "service": "naive",
    }.items():  # fmt: skip
        kv.put(f"{RULE}{name}", value)


def _until(ready: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS * slow()
    while True:
        try:
            ready()
        except (httpx.HTTPError, PyMongoError, KafkaError) as error:
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not start within {START_SECONDS:.0f} s: {error}") from error
            time.sleep(0.1)
        else:
            return
