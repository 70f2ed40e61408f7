"""What a service says of itself when it registers."""

import re
import signal
from random import Random
from typing import Any

import pytest
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
REGISTER = """
registry().register(instance(1))
say("registered")
"""


@check(points=3)
@pytest.mark.disturbs
def test_registered_with_a_check(lab: Exercise, rng: Random) -> None:
    """The service is registered under its own address, with an HTTP check that can fail and an end"""
    # The program beside the system begins while the service begins anew.
    with probe(lab, rng, REGISTER) as (name, module, proxy):
        _look_into_the_catalog(_entered_anew())
        module.hear("register() to return")
        _look_at(registration(proxy, name), f"{HOST}:9")


def _entered_anew() -> list[dict[str, Any]]:
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
