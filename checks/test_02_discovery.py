"""Lab 02: what stands in the catalog, and when."""

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import httpx
import pytest
from grading import plain
from grading.beside import Beside, beside
from grading.outcome import require
from grading.overhear import Asked, Door, door_to_consul
from grading.plugin import check
from grading.reach import consul
from grading.system import ENDPOINTS, backend, eventually, second_instance

from lab.course.exercise import Exercise
from lab.instances import answered, port
from lab.readiness import slow

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
def test_registered_with_a_check(lab: Exercise, rng: Random) -> None:
    """The service is registered under its own address, with an HTTP check that can fail and an end"""
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
    with probe(lab, rng, REGISTER) as (name, module, door):
        module.hear("register() to return")
        _look_at(registration(door, name), f"{HOST}:9")


LONGEST_ON_THE_LIST = 600.0
"""Seconds that a dead instance may stay in the catalog."""


def _look_at(entry: dict[str, Any], address: str) -> None:
    """What the registration says that the agent does not tell."""
    did = f"your register() beside the system, for an instance at {address}"
    asked = entry.get("http")
    require(
        asked == f"http://{address}/health",
        did,
        expected=f"a check that asks http://{address}/health",
        saw=asked,
        means="Liveness of this very instance counts. A neighbour, or a database, says nothing about it.",
    )
    after = entry.get("deregistercriticalserviceafter")
    require(
        after and 0 < seconds_of(str(after)) <= LONGEST_ON_THE_LIST,
        did,
        expected="DeregisterCriticalServiceAfter: at most 10 minutes",
        saw=f"DeregisterCriticalServiceAfter: {after or 'not there'}",
        means="Whoever does not come back stays on the list until somebody removes it by hand.",
    )


def registration(door: Door, name: str) -> dict[str, Any]:
    """The check that was registered for `name`, as it was sent: with the service, or by itself."""
    found: list[dict[str, Any]] = []
    for asked in door.writes():
        entry = asked.json()
        if asked.path.startswith("/v1/agent/check/register"):
            found.append(entry)
        elif entry.get("name") == name:
            found += [entry.get("check") or {}, *(entry.get("checks") or [])]
    return next((entry for entry in found if entry.get("http")), {})


PROBE = """
import consul, json, os, sys, threading
from civildiy.chassis.registry import *
name, door_host, door_port, host = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
def registry():
    client = consul.Consul(host=door_host, port=door_port)
    client.http.session.trust_env = False  # no proxy stands between a service and its agent
    return Registry(client)
def instance(number, port=9):
    return Instance(name, f"{name}-{number}", host, port)
def ids(found):
    return json.dumps(sorted(i.id for i in found))
"""
REGISTER = """
registry().register(instance(1))
say("registered")
"""


@contextmanager
def probe(lab: Exercise, rng: Random, program: str) -> Iterator[tuple[str, Beside, Door]]:
    """A program beside the system, for a service of its own; its entries are removed afterwards."""
    name = f"probe-{rng.getrandbits(40):x}"
    try:
        with (
            door_to_consul() as door,
            beside(lab, "profile", PROBE + program, name, door.host, str(door.port), HOST) as module,
        ):
            yield name, module, door
    finally:
        for number in (1, 2, 3):
            with suppress(httpx.HTTPStatusError):  # 404: it is gone already
                consul("PUT", f"/v1/agent/service/deregister/{name}-{number}")


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
def test_comes_back_after_consul_lost_everything(lab: Exercise, rng: Random) -> None:
    """Who is registered keeps looking; after Consul lost everything the service is back within 15 s"""
    with probe(lab, rng, KEEP) as (name, module, door):
        _knows_its_entry(name, module)
        _looks_now_and_then(module, door)
        _comes_back(name, module, door)
        module.tell("leave")
        said = module.hear("stay_registered() to end after `left` was set", 12)
        means = "Who goes on looking registers again behind its own goodbye."
        require(said == "ended", "set `left`", expected="stay_registered() ends", saw=said, means=means)
    back()
    backend.forget("consul")
    try:
        eventually(lambda: consul("GET", "/v1/status/leader"), within=20, what="Consul to be back")
        eventually(
            lambda: len(entries(True)) == 1, within=15, what="profile to register again with the empty Consul"
        )
        rules = "the gateway to have profile's rules again, which on_look() brings"
        eventually(answering, within=15, what=rules)
    finally:
        eventually(everybody_back, within=30, what="all services to be back")


def everybody_back() -> bool:
    names = ("auth", "posts", "feed")
    return all(consul("GET", f"/v1/health/service/{name}?passing=true") for name in names)


EVERY, QUIET = 0.5, 2.0
KEEP = f"""
left = threading.Event()
seen = dict(looks=0, errors=0)
def count(what):
    seen[what] += 1
def keep():
    stay_registered(
        registry(), instance(1), left, every={EVERY}, on_look=lambda: count("looks"),
        on_missing=lambda: None, on_error=lambda error: count("errors"),
    )
keeper = threading.Thread(target=keep, daemon=True)
keeper.start()
for line in sys.stdin:
    if line.strip() == "knows":
        say(json.dumps([registry().knows(i) for i in (instance(1), instance(1, port=10), instance(2))]))
    elif line.strip() == "leave":
        left.set()
        keeper.join(8)
        say("it goes on" if keeper.is_alive() else "ended")
    else:
        say(json.dumps(seen))
"""


def _listed(name: str) -> bool:
    return f"{name}-1" in consul("GET", "/v1/agent/services")


def _knows_its_entry(name: str, module: Beside) -> None:
    # The program begins meanwhile, which takes seconds on a busy machine.
    eventually(lambda: _listed(name), within=15, what="stay_registered() beside the system to register")
    module.tell("knows")
    said = module.hear("knows()")
    require(
        said == "[true, false, false]",
        "asked your knows() for the instance itself, for the same id at another port, and for another id",
        expected="True, False, False",
        saw=said,
        means="An entry with an old address sends everybody to the wrong place, and nobody mends it.",
    )


def _looks_now_and_then(module: Beside, door: Door) -> None:
    looks, before = _seen(module)["looks"], len(door.asked)
    time.sleep(QUIET)  # what is measured is how much is asked meanwhile
    requests, more = len(door.asked) - before, _seen(module)["looks"] - looks
    require(
        more and requests <= 3 * QUIET / EVERY,
        f"let stay_registered(every={EVERY}) run for {QUIET:g} s while nothing happens",
        expected=f"about {QUIET / EVERY:g} looks, on_look() after each",
        saw=f"{requests} requests to Consul, on_look() called {more} times",
        means="Who never looks misses the loss; who never pauses is a load for Consul.",
    )


def _comes_back(name: str, module: Beside, door: Door) -> None:
    consul("PUT", f"/v1/agent/service/deregister/{name}-1")
    eventually(
        lambda: _listed(name), within=5, what="stay_registered() to register again after Consul forgot it"
    )
    errors = _seen(module)["errors"]
    door.closed = True
    eventually(
        lambda: _seen(module)["errors"] > errors, within=5, what="on_error() while Consul does not answer"
    )
    consul("PUT", f"/v1/agent/service/deregister/{name}-1")
    door.closed = False
    eventually(
        lambda: _listed(name), within=8, what="stay_registered() to register again after Consul was away"
    )


def _seen(module: Beside) -> dict[str, int]:
    module.tell("seen")
    found: dict[str, int] = json.loads(module.hear("stay_registered() beside the system"))
    return found


WATCH = """
say("healthy", ids(registry().healthy(name)))
for found in registry().watch(name):
    say("watch", ids(found))
"""


@check(points=3)
def test_lookup_and_watch(lab: Exercise, rng: Random) -> None:
    """Lookup returns passing instances only; watch sees a change in less than a second, without polling"""
    with probe(lab, rng, "sys.stdin.readline()" + WATCH) as (name, module, door):
        for number, status in ((1, "passing"), (2, "critical")):
            put(name, number, status)
        module.tell("begin")
        _look(name, module)
        _waits_for_changes(name, module, door)
        _sees_changes(name, module)


BESIDE = "your registry beside the system, with one passing and one critical instance"


def _look(name: str, module: Beside) -> None:
    for what in ("healthy", "watch"):
        said = module.hear(f"the first list of {what}()")
        require(
            said == f'{what} ["{name}-1"]',
            f"{BESIDE}: {what}()",
            expected=f"only {name}-1",
            saw=said,
            means="Who is sent to a critical instance waits for nothing.",
        )


def _waits_for_changes(name: str, module: Beside, door: Door) -> None:
    time.sleep(0.3)  # the watcher has gone back to wait
    before = len(door.asked)
    time.sleep(QUIET)  # what is measured is how much is asked meanwhile
    requests = door.asked[before:]
    require(
        len(requests) <= 1,
        f"{BESIDE}: watch() for {QUIET:g} s while nothing changes",
        expected="one question that Consul holds back until there is news",
        saw=f"{len(requests)} questions, such as {_words(requests[-1:])}",
        means="Many who poll are a load, and each of them still hears of a change too late.",
    )


def _words(requests: list[Asked]) -> str:
    return ", ".join(f"{asked.method} {asked.path}" for asked in requests)


def _sees_changes(name: str, module: Beside) -> None:
    for change in ("passing", "critical"):
        time.sleep(0.3)  # the watcher has gone back to wait; a change before that would prove nothing
        began = time.monotonic()
        consul("PUT", f"/v1/agent/check/update/service:{name}-2", json={"Status": change})
        seen = module.hear("watch() to see a change", 12)
        late = time.monotonic() - began
        wanted = [f"{name}-1"] + [f"{name}-2"] * (change == "passing")
        require(
            seen == f"watch {json.dumps(wanted)}" and late < slow(),
            f"{BESIDE}: watch() while one instance turns {change}",
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
