"""Lab 02: what stands in the catalog, and when."""

import re
import signal
import time
from random import Random
from typing import Any

import pytest
from grading.beside import Beside, beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.system import ENDPOINTS, backend, eventually, second_instance

from lab import plain
from lab.course.exercise import Exercise
from lab.instances import answered, port

HOST = backend.host("profile")
PORT = port(backend)


def entries(passing: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = consul("GET", "/v1/health/service/profile" + "?passing=true" * passing)
    return found


def ids() -> list[str]:
    return sorted(entry["Service"]["ID"] for entry in entries())


def answering() -> bool:
    return plain.get(f"{ENDPOINTS['gateway']}/api/profile/health", timeout=5).status_code == 200


def back() -> None:
    """Profile is in the catalog, healthy, and reached by the gateway."""
    eventually(lambda: entries(True) and answering(), within=15, what="profile to be healthy in the catalog")


@check(points=3)
@pytest.mark.disturbs
def test_registered_with_a_check() -> None:
    """The service is registered under its own address, with an HTTP check that can fail"""
    did = "restarted profile and looked for it in Consul's catalog"
    # What an earlier registration left behind must not count.
    pid = backend.pid_of("profile")
    backend.signal("profile", signal.SIGTERM)
    eventually(lambda: backend.pid_of("profile") != pid, within=10, what="profile to end after SIGTERM")
    for entry in entries():
        consul("PUT", f"/v1/agent/service/deregister/{entry['Service']['ID']}")
    restarted(pid)
    found = eventually(entries, within=8, what="profile in Consul's catalog")
    service = found[0]["Service"]
    require(
        len(found) == 1 and (service["Address"], service["Port"]) == (HOST, PORT),
        did,
        expected=f"one instance at {HOST}:{PORT}",
        saw=[f"{e['Service']['ID']} at {e['Service']['Address']}:{e['Service']['Port']}" for e in found],
        means="Others use this address; 127.0.0.1 is another machine for each of them.",
    )
    checks = [c for c in consul("GET", "/v1/agent/checks").values() if c["ServiceID"] == service["ID"]]
    http = [c for c in checks if c["Type"] == "http"]
    require(
        http,
        did,
        expected="an HTTP check",
        saw=[c["Type"] for c in checks] or "no check",
        means="Without a check Consul believes that the instance lives for ever.",
    )
    require(
        seconds_of(http[0]["Interval"]) <= 10,
        did,
        expected="a check at least every 10 s",
        saw=http[0]["Interval"],
        means="Until the next check, clients are sent to a dead instance.",
    )


def seconds_of(duration: str) -> float:
    """Consul writes times as Go does: '500ms', '10s', '1m0s'."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", duration))


@check(points=2)
@pytest.mark.disturbs
def test_frozen_instance_is_critical() -> None:
    """An instance that does not answer any more is critical within 15 s"""
    back()
    backend.signal("profile", signal.SIGSTOP)
    try:
        eventually(
            lambda: not entries(True) and entries(),
            within=15,
            what="the frozen profile to be critical, not gone",
        )
        url = f"{ENDPOINTS['gateway']}/api/profile/health"
        eventually(
            lambda: plain.get(url, timeout=1).status_code == 503,
            within=5,
            what="the gateway to answer 503 at once instead of sending requests to the frozen instance",
        )
    finally:
        backend.signal("profile", signal.SIGCONT)
    back()


@check(points=3)
@pytest.mark.disturbs
def test_no_ghosts_after_five_kills() -> None:
    """After five times kill -9 there is one entry, the same as before"""
    back()
    before = ids()
    for _ in range(5):
        pid = backend.pid_of("profile")
        backend.signal("profile", signal.SIGKILL)
        restarted(pid)
    back()
    after = ids()
    require(
        after == before,
        "killed profile five times and looked into the catalog",
        expected="the one entry that was there before, with the same id",
        saw=f"{len(after)} entries: {', '.join(after)}; before: {', '.join(before)}",
        means="A new id at each start leaves the old entry behind, and clients are sent there.",
    )


def restarted(old: int | None) -> None:
    """The supervisor has started profile anew, and it listens (a start that is cut short enters nothing)."""
    eventually(
        lambda: backend.pid_of("profile") not in (None, old) and plain.get(f"{ENDPOINTS['profile']}/docs"),
        within=15,
        what="the supervisor to restart profile",
    )


@check(points=2)
@pytest.mark.disturbs
def test_leaves_on_sigterm() -> None:
    """On SIGTERM the instance is gone from the catalog within 2 s"""
    back()
    backend.signal("profile", signal.SIGTERM)
    try:
        eventually(lambda: not ids(), within=2, what="profile to leave the catalog after SIGTERM")
    finally:
        eventually(lambda: backend.pid_of("profile"), within=15, what="the supervisor to restart it")
    back()


@check(points=2)
@pytest.mark.disturbs
def test_second_instance_gets_traffic() -> None:
    """A second instance is found and gets its share; when it has stopped, nobody is sent to it"""
    back()
    with second_instance("profile") as second:
        eventually(lambda: len(entries(True)) == 2, within=15, what="two healthy instances of profile")
        hosts = {entry["Service"]["Address"] for entry in entries(True)}
        require(
            hosts == {HOST, backend.host(second)},
            "looked for both instances in the catalog",
            expected=f"{HOST} and {backend.host(second)}",
            saw=", ".join(sorted(hosts)),
            means="Two instances that register one address are one instance.",
        )
        before = eventually(lambda: requests_at(second) + 1, within=5, what="the second instance's metrics")
        eventually(
            lambda: all(answering() for _ in range(10)) and requests_at(second) - before >= 5,
            within=8,
            what="the second instance to get a share of the requests",
        )
    sent = [answering() for _ in range(20)]
    require(
        all(sent),
        "stopped the second instance, and asked the gateway twenty times",
        expected="an answer each time",
        saw=f"{sent.count(False)} errors",
        means="Who stops leaves the catalog first.",
    )
    back()


def requests_at(unit: str) -> int:
    """Requests through the gateway that an instance has answered."""
    return answered(backend, unit, "/api/profile/health")


@check(points=3)
@pytest.mark.disturbs
def test_comes_back_after_consul_lost_everything() -> None:
    """After Consul restarted with an empty catalog the service is back within 15 s"""
    back()
    backend.forget("consul")
    try:
        eventually(lambda: consul("GET", "/v1/status/leader"), within=20, what="Consul to be back")
        eventually(
            lambda: len(entries(True)) == 1, within=15, what="profile to register again with the empty Consul"
        )
    finally:
        eventually(everybody_back, within=30, what="all services to be back")


def everybody_back() -> bool:
    names = ("auth", "posts", "feed")
    return all(consul("GET", f"/v1/health/service/{name}?passing=true") for name in names)


PROBE = """
import consul, json, os, sys, threading, time
from civildiy.chassis.registry import Registry
name = sys.argv[1]
def registry():
    return Registry(consul.Consul(host=os.environ["CONSUL_HOST"], port=int(os.environ["CONSUL_PORT"])))
say("healthy", json.dumps(sorted(i.id for i in registry().healthy(name))))
for found in registry().watch(name):
    say("watch", json.dumps(sorted(i.id for i in found)))
"""


@check(points=3)
def test_lookup_and_watch(lab: Exercise, rng: Random) -> None:
    """Lookup returns passing instances only; watch sees a change in less than a second"""
    name = f"probe-{rng.getrandbits(40):x}"
    for number, status in ((1, "passing"), (2, "critical")):
        put(name, number, status)
    try:
        with beside(lab, "profile", PROBE, name) as registry:
            _look_and_watch(registry, name)
    finally:
        for number in (1, 2):
            consul("PUT", f"/v1/agent/service/deregister/{name}-{number}")


def _look_and_watch(registry: Beside, name: str) -> None:
    did = "your registry beside the system, with one passing and one critical instance"
    means = "Who is sent to a critical instance waits for nothing."
    said = registry.hear("healthy()")
    require(
        said == f'healthy ["{name}-1"]',
        f"{did}: healthy()",
        expected=f"only {name}-1",
        saw=said,
        means=means,
    )
    said = registry.hear("the first list of watch()")
    require(
        said == f'watch ["{name}-1"]', f"{did}: watch()", expected=f"only {name}-1", saw=said, means=means
    )
    for change in ("passing", "critical"):
        time.sleep(0.3)  # the watcher has gone back to wait; a change before that would prove nothing
        began = time.monotonic()
        consul("PUT", f"/v1/agent/check/update/service:{name}-2", json={"Status": change})
        seen = registry.hear("watch() to see a change", 12)
        late = time.monotonic() - began
        wanted = [f"{name}-1"] + [f"{name}-2"] * (change == "passing")
        require(
            seen == "watch " + str(wanted).replace("'", '"') and late < 1,
            f"{did}: watch() while one instance turns {change}",
            expected=f"{len(wanted)} instance(s) within 1 s",
            saw=f"{seen} after {late:.1f} s",
            means="A blocking query returns at once; polling waits for its next turn.",
        )


def put(name: str, number: int, status: str) -> None:
    entry = {
        "Name": name,
        "ID": f"{name}-{number}",
        "Address": HOST,
        "Port": 9,
        "Check": {"TTL": "10m", "Status": status},
    }
    consul("PUT", "/v1/agent/service/register", json=entry)
