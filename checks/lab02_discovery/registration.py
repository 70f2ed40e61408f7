"""What a service says of itself when it registers."""

import json
import re
import signal
from random import Random
from typing import Any

import pytest
from grading.learner_process import Beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.recording_proxy import RecordingProxy
from grading.system import backend, eventually

from lab.course.exercise import Exercise
from lab02_discovery.catalog import HOST, PORT, entries, restarted
from lab02_discovery.probe import probe

LONGEST_ON_THE_LIST = 600.0
"""Seconds that a dead instance may stay in the catalog."""
KEYS = ("Interval", "Timeout", "DeregisterCriticalServiceAfter")
NAMES = ("CHECK_INTERVAL", "CHECK_TIMEOUT", "DEREGISTER_AFTER")
TIMES = (
    "The interval decides how soon a dead instance is noticed, and the timeout how long a slow answer may"
    " take: without one, Consul waits for ten seconds."
)
ALLOWED = {
    "Status": (
        ("critical", ""),
        "The instance counts as healthy before Consul has called `/health` once, so the gateway sends"
        " requests to an instance that may not answer.",
    ),
    "FailuresBeforeCritical": (
        ("0", "1"),
        "Consul waits for several failed calls of `/health`, and the gateway sends requests to a dead"
        " instance meanwhile.",
    ),
    "SuccessBeforePassing": (
        ("0", "1"),
        "Consul waits for several good answers, so a new instance gets no requests for some seconds.",
    ),
}
"""Keys that change when an instance counts as healthy: the values that change nothing, and what others do."""
REGISTRATION, CALLS = "/v1/agent/service/register", 3
REGISTER = """
reg = registry()
for _ in range(2):
    reg.register(instance(1))
reg.register(instance(2, port=10))
say(json.dumps([CHECK_INTERVAL, CHECK_TIMEOUT, DEREGISTER_AFTER]))
sys.stdin.readline()
try:
    reg.register(instance(1))
    say("returned")
except Exception:
    say("raised")
"""


@check(points=3)
@pytest.mark.disturbs
def test_registered_with_a_check(lab: Exercise, rng: Random) -> None:
    """The service is registered under its own address, with an HTTP check that can fail and an end"""
    with probe(lab, rng, REGISTER) as (name, module, proxy):
        constants = json.loads(module.hear("register() to return", 15))
        _look_at_the_entries(name)
        _look_at(registration(proxy, name), f"{HOST}:9", constants)
        _only_registers(module, proxy)
        _look_into_the_catalog(_registered_again())


def _only_registers(module: Beside, proxy: RecordingProxy) -> None:
    """register() removes nothing, and reports that Consul does not answer."""
    removed = [asked.path for asked in proxy.writes() if "deregister" in asked.path]
    require(
        not removed,
        "your register() beside the system, and looked at its requests to Consul",
        expected="registrations only",
        saw=", ".join(removed),
        means="`register` removes an entry before it registers. In between the gateway has no"
        " instance. An entry"
        " with the same id is replaced anyway.",
    )
    _in_one_request(proxy)
    proxy.closed = True
    module.tell("register")
    said = module.hear("register() to return or to raise", 15)
    require(
        said == "raised",
        "your register() beside the system, while Consul does not answer",
        expected="an exception, such as the one that py-consul raises",
        saw=said,
        means="`register` hides the error. Its caller, `stay_registered`, takes the instance for registered.",
    )


def _in_one_request(proxy: RecordingProxy) -> None:
    """No entry is without its health check, not even between two requests."""
    sent = []
    for asked in proxy.writes():
        body = asked.json()
        path = asked.path.partition("?")[0]
        complete = path.startswith(REGISTRATION) and (body.get("check") or body.get("checks"))
        sent.append(path if complete else f"{path} without a health check in it")
    require(
        sent == [REGISTRATION] * CALLS,
        f"called your register() {CALLS} times beside the system, and looked at its requests to Consul",
        expected=f"{CALLS} times {REGISTRATION}, each with the health check in it",
        saw=", ".join(sent),
        means="`register` needs more than one request for an entry with its check. In between the entry has"
        " no check and counts as healthy, so the gateway sends requests to an instance that nobody has"
        " checked. If the second request fails, this stays so, even after the instance has died. Make one"
        " call of `service.register`, with the argument `check`.",
    )


def _registered_again() -> list[dict[str, Any]]:
    """The entries of profile after a restart: what an earlier registration left behind must not count."""
    pid = backend.pid_of("profile")
    backend.signal("profile", signal.SIGTERM)
    eventually(lambda: backend.pid_of("profile") != pid, within=10, what="profile to end after SIGTERM")
    for entry in entries():
        consul("PUT", f"/v1/agent/service/deregister/{entry['Service']['ID']}")
    restarted(pid)
    return eventually(entries, within=8, what="profile in Consul's catalog")


def _look_into_the_catalog(found: list[dict[str, Any]]) -> None:
    did = "restarted profile and looked for it in Consul's catalog"
    service = found[0]["Service"]
    require(
        len(found) == 1 and (service["Address"], service["Port"]) == (HOST, PORT),
        did,
        expected=f"one instance at {HOST}:{PORT}",
        saw=[f"{e['Service']['ID']} at {e['Service']['Address']}:{e['Service']['Port']}" for e in found],
        means="The gateway and other services use this address. 127.0.0.1 is another machine for each of"
        " them.",
    )
    checks = [c for c in consul("GET", "/v1/agent/checks").values() if c["ServiceID"] == service["ID"]]
    http = [c for c in checks if c["Type"] == "http"]
    require(
        http,
        did,
        expected="an HTTP check",
        saw=[c["Type"] for c in checks] or "no check",
        means="`register` enters no HTTP check, so Consul believes that the instance is always healthy.",
    )
    require(
        seconds_of(http[0]["Interval"]) <= 10,
        did,
        expected="a check at least every 10 s",
        saw=http[0]["Interval"],
        means="Until the next check, requests go to an instance that may be dead. `register` sets the"
        " interval.",
    )


def _look_at_the_entries(name: str) -> None:
    """What two instances have in the catalog, the first of them registered twice."""
    did = f"your register() beside the system: {name}-1 at {HOST}:9 twice, then {name}-2 at {HOST}:10"
    found = [s for s in consul("GET", "/v1/agent/services").values() if s["Service"] == name]
    said = sorted(f"{s['ID']} at {s['Address']}:{s['Port']}" for s in found)
    wanted = [f"{name}-1 at {HOST}:9", f"{name}-2 at {HOST}:10"]
    require(
        said == wanted,
        did,
        expected=", ".join(wanted),
        saw=", ".join(said) or "no entry",
        means="The name, id, address and port must be those of `instance`. With another id each call adds"
        " an entry, or"
        " one instance replaces the other.",
    )
    require(
        all("traefik.enable=true" in (s["Tags"] or []) for s in found),
        did,
        expected="the tag traefik.enable=true",
        saw=[s["Tags"] for s in found],
        means="Traefik takes only services with the tag `traefik.enable=true`. Without it the gateway"
        " answers 404"
        " although the instance is healthy.",
    )


def _look_at(entry: dict[str, Any], address: str, constants: list[str]) -> None:
    """What the registration says that the agent does not tell."""
    did = f"your register() beside the system, for an instance at {address}"
    asked = entry.get("http")
    require(
        asked == f"http://{address}/health",
        did,
        expected=f"a check that asks http://{address}/health",
        saw=asked,
        means="The check must query `/health` of this very instance, at its own address. Another path or"
        " address says nothing about its liveness.",
    )
    after = entry.get("deregistercriticalserviceafter")
    require(
        after and 0 < seconds_of(str(after)) <= LONGEST_ON_THE_LIST,
        did,
        expected="DeregisterCriticalServiceAfter: at most 10 minutes",
        saw=f"DeregisterCriticalServiceAfter: {after or 'not there'}",
        means="Without DeregisterCriticalServiceAfter an instance that never comes back stays in the"
        " catalog until a person removes it.",
    )
    for key, name, wanted in zip(KEYS, NAMES, constants, strict=True):
        found = str(entry.get(key.lower()) or "")
        require(
            seconds_of(found) == seconds_of(wanted),
            did,
            expected=f"{key}: {wanted}, the value of the constant {name}",
            saw=f"{key}: {found or 'not there'}",
            means=f"`register` must give the check's `{key}` the constant `{name}`. {TIMES}",
        )

    for key, (allowed, means) in ALLOWED.items():
        found = str(entry.get(key.lower(), allowed[0]))
        require(
            found in allowed,
            did,
            expected=f"a check without `{key}`",
            saw=f"{key}: {found}",
            means=f"{means} `register` needs only the four keys that the page names.",
        )


def registration(proxy: RecordingProxy, name: str) -> dict[str, Any]:
    """The check that was registered for `name`, as it was sent: with the service, or by itself."""
    found: list[dict[str, Any]] = []
    for asked in proxy.writes():
        entry = asked.json()
        if asked.path.startswith("/v1/agent/check/register"):
            found.append(entry)
        elif entry.get("name") == name:
            found += [entry.get("check") or {}, *(entry.get("checks") or [])]
    return next((entry for entry in found if entry.get("http")), {})


def seconds_of(duration: str) -> float:
    """Consul writes times as Go does: '500ms', '10s', '1m0s'."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", duration))
