"""Faults on demand: each is visible while it is active, and ends by itself in every case."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from support import ENDPOINTS, GATEWAY, Person, backend, eventually, home, pid_of, stopped

from lab.deadlines import slow
from lab.errors import LabError
from lab.faults import break_, ledger
from lab.faults.catalog import FAULTS, fault, target
from lab.home import REPO
from lab.probes import local_http

pytestmark = pytest.mark.fault
GATEWAY_SECONDS = 10
"""The time after which Traefik answers 504 for a service that does not answer."""


@pytest.fixture(autouse=True)
def healed() -> Iterator[None]:
    yield
    break_.heal_all(home, backend)


def silent(unit: str) -> bool:
    """Return whether a service does not answer at its own address."""
    try:
        local_http.get(f"{ENDPOINTS[unit]}/health", timeout=0.5)
    except httpx.TransportError:
        return True
    return False


def on(name: str) -> bool:
    return any(entry.fault == name for entry in ledger.entries(home))


def posts_are_lost() -> bool:
    return local_http.get(f"{GATEWAY}/api/posts", timeout=5).status_code == 404


def second_runs(unit: str) -> bool:
    return backend.pid_of(f"{unit}-2") is not None


def slowed() -> bool:
    began = time.monotonic()
    local_http.get(f"{ENDPOINTS['profile']}/health", timeout=5)
    return time.monotonic() - began > 0.1


SIGNS: dict[str, tuple[str, Callable[[], bool]]] = {
    "pause": ("feed", lambda: silent("feed")),
    "cut-off": ("profile", lambda: silent("profile")),
    "slow": ("profile", slowed),
    "wrong-rule": ("traefik", posts_are_lost),
    "two-relays": ("posts-relay", lambda: second_runs("posts-relay")),
    "two-projectors": ("feed-projector", lambda: second_runs("feed-projector")),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in ("cut-off", "slow") else [pytest.mark.campaign]) for n in SIGNS]
)
def test_fault_is_seen_and_ends_by_itself(name: str) -> None:
    unit, sign = SIGNS[name]
    seconds = 3 * slow()
    break_.start(home, backend, fault(name), unit, seconds)
    eventually(sign, within=4, what=f"a sign of {name} {unit}")
    eventually(lambda: not on(name), within=seconds + 15, what=f"the end of {name} {unit}")
    eventually(lambda: not sign(), within=15, what=f"{unit} to be well after {name}")


def test_every_lasting_fault_has_its_sign() -> None:
    assert {found.name for found in FAULTS if found.lasts} == {*SIGNS, "clock-skew", "full-disk"}


def test_fault_ends_when_the_command_is_killed() -> None:
    command = subprocess.Popen(
        [REPO / "lab", "break", "pause", "profile", "--for", f"{3 * slow():.0f}s"],
        stdout=subprocess.DEVNULL,
    )
    eventually(lambda: on("pause"), within=20, what="the fault to be noted")
    command.send_signal(signal.SIGKILL)
    command.wait()
    eventually(lambda: silent("profile"), within=5, what="profile to be frozen")
    eventually(lambda: not on("pause"), within=20, what="the fault to end")
    eventually(lambda: not silent("profile"), within=10, what="profile to answer")


def test_heal_ends_what_a_killed_guardian_left() -> None:
    break_.start(home, backend, fault("pause"), "profile", 60)
    (entry,) = ledger.entries(home)
    os.kill(entry.guardian, signal.SIGKILL)
    eventually(lambda: silent("profile"), within=5, what="profile to be frozen")
    done = subprocess.run([REPO / "lab", "heal"], capture_output=True, text=True, check=True)
    assert "pause profile has ended" in done.stdout
    eventually(lambda: not silent("profile"), within=10, what="profile to answer")
    again = subprocess.run([REPO / "lab", "heal"], capture_output=True, text=True, check=True)
    assert "No fault is active" in again.stdout


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("store", "path"),
    [("postgresql", "/api/profile"), ("mongodb", "/api/posts"), ("redis", "/api/activity-stream")],
)
def test_a_frozen_store_is_named_before_the_gateway_gives_up(store: str, path: str, ada: Person) -> None:
    ada.http.get(path)
    break_.start(home, backend, fault("pause"), store, 60)
    for turn in range(4):
        began = time.monotonic()
        answer = ada.http.get(path, timeout=30)
        assert time.monotonic() - began < GATEWAY_SECONDS
        if turn == 0 and answer.is_success:
            continue  # the request was answered before the fault
        assert answer.status_code == 503, answer.text
        assert store in answer.json()["detail"]
    break_.heal_all(home, backend)
    eventually(lambda: ada.http.get(path).status_code in (200, 404), within=10, what=f"{store} to be back")


@pytest.mark.campaign
def test_kill_and_restart_and_amnesia() -> None:
    for name, unit in (("kill", "profile"), ("restart", "profile")):
        before = pid_of(unit)
        break_.start(home, backend, fault(name), unit, 1)
        eventually(lambda b=before: backend.pid_of("profile") not in (None, b), within=15, what=name)  # type: ignore[misc]
    break_.start(home, backend, fault("amnesia"), "consul", 1)
    url = f"{ENDPOINTS['consul']}/v1/health/service/profile?passing"
    eventually(lambda: len(local_http.get(url).json()) == 1, within=30, what="profile in Consul")


@pytest.mark.campaign
def test_amnesia_comes_to_its_end_when_the_command_is_killed() -> None:
    """If the command is killed between stopping Consul and starting it, the guardian still starts it."""
    before = pid_of("consul")
    command = subprocess.Popen([REPO / "lab", "break", "amnesia"], stdout=subprocess.DEVNULL)
    eventually(lambda: on("amnesia"), within=20, what="the fault to be noted")
    command.send_signal(signal.SIGKILL)
    command.wait()
    eventually(lambda: not on("amnesia"), within=30, what="the fault to end")
    eventually(lambda: backend.pid_of("consul") not in (None, before), within=15, what="Consul")


def test_two_faults_at_one_unit_end_one_after_the_other() -> None:
    break_.start(home, backend, fault("cut-off"), "profile", 2 * slow())
    break_.start(home, backend, fault("pause"), "profile", 60)
    eventually(lambda: not on("cut-off"), within=15, what="the end of cut-off")
    assert on("pause")
    assert silent("profile")
    with pytest.raises(LabError, match="pause profile is active"):
        break_.start(home, backend, fault("slow"), "profile", 5)
    assert [(e.fault, e.unit) for e in break_.heal_all(home, backend)] == [("pause", "profile")]
    eventually(lambda: not silent("profile"), within=10, what="profile to answer")
    assert break_.heal_all(home, backend) == []


def test_what_does_not_run_cannot_be_broken() -> None:
    with stopped("profile"):
        for name in ("kill", "restart", "pause", "slow", "cut-off"):
            with pytest.raises(LabError, match="profile is not running"):
                break_.start(home, backend, fault(name), "profile", 5)
        assert not ledger.entries(home)
        assert backend.pid_of("profile") is None


def test_wrong_requests_name_what_there_is() -> None:
    with pytest.raises(LabError, match="--list"):
        fault("flood")
    with pytest.raises(LabError, match="posts-relay"):
        target(fault("kill"), "everything")
    assert target(fault("amnesia"), "") == "consul"
    break_.start(home, backend, fault("pause"), "profile", 20)
    with pytest.raises(LabError, match="already active"):
        break_.start(home, backend, fault("pause"), "profile", 20)
