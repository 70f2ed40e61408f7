"""Every fault at every unit: it is visible, it ends by itself, and the system recovers without help.

Takes several minutes, so it is run by hand: .venv/bin/python -m pytest tests/live/test_break_everywhere.py
(on Compose: .venv/bin/python -m pytest tests/compose/test_on_compose.py -k "comes_up or everywhere")
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from support import ENDPOINTS, backend, eventually, home, until_healthy, until_rules_are_read

from lab.backends.compose import containers, engine
from lab.backends.native import network
from lab.deadlines import slow
from lab.faults import break_, ledger
from lab.faults.catalog import FAULTS, fault
from lab.probes import local_http
from lab.topology import UNITS

pytestmark = [pytest.mark.fault, pytest.mark.campaign]
EVERYWHERE = [
    (found.name, unit) for found in FAULTS if backend.kind in found.backends for unit in found.units
]


@pytest.fixture(autouse=True)
def healed() -> Iterator[None]:
    yield
    break_.heal_all(home, backend)


def container(unit: str) -> dict[str, Any]:
    """Return what the engine says of the unit's container."""
    found: list[dict[str, Any]] = json.loads(engine.must("inspect", containers.name(unit)))
    return found[0]


def frozen(unit: str) -> bool:
    if backend.kind == "compose":
        return bool(container(unit)["State"]["Paused"])
    pid = backend.pid_of(unit)
    return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED


def cut_off(unit: str) -> bool:
    """Return whether Compose's network lacks the unit, or the packet filter has a table for its group."""
    if backend.kind == "compose":
        return not container(unit)["NetworkSettings"]["Networks"]
    group, pid = network.group(home, unit), backend.pid_of(unit)
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return str(group) in tables and pid is not None and psutil.Process(pid).gids().effective == group


def full(unit: str) -> bool:
    """Return whether /proc reports a limit for its files: prlimit would need the unit's own group."""
    limits = Path(f"/proc/{backend.pid_of(unit)}/limits").read_text()
    (soft,) = (line.split()[3] for line in limits.splitlines() if line.startswith("Max file size"))
    return soft != "unlimited"


def skewed(unit: str) -> bool:
    pid = backend.pid_of(unit)
    return pid is not None and "FAKETIME" in psutil.Process(pid).environ()


def wrong_rule(unit: str) -> bool:
    url = f"{ENDPOINTS['consul']}/v1/kv/traefik/http/routers/intruder/rule"
    try:
        return local_http.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def second(unit: str) -> bool:
    return backend.pid_of(f"{unit}-2") is not None


SIGNS: dict[str, Callable[[str], bool]] = {
    "pause": frozen, "slow": frozen, "cut-off": cut_off, "full-disk": full, "clock-skew": skewed,
    "wrong-rule": wrong_rule, "two-relays": second, "two-projectors": second,
}  # fmt: skip
NEW_PROCESS = ("kill", "restart", "amnesia", "gateway-restart")


@pytest.mark.parametrize(("name", "unit"), EVERYWHERE, ids=[f"{name}-{unit}" for name, unit in EVERYWHERE])
def test_fault(name: str, unit: str) -> None:
    if name == "cut-off" and backend.kind == "native" and not shutil.which("nft"):
        pytest.skip("nftables is missing")
    before, seconds = backend.pid_of(unit), 2 * slow()
    break_.start(home, backend, fault(name), unit, seconds)
    if name in NEW_PROCESS:
        eventually(lambda: backend.pid_of(unit) not in (None, before), within=20, what=f"a new {unit}")
    elif name in SIGNS:
        eventually(lambda: SIGNS[name](unit), within=seconds, what=f"a sign of {name} {unit}")
        eventually(lambda: not ledger.entries(home), within=seconds + 20, what=f"the end of {name} {unit}")
        eventually(lambda: not SIGNS[name](unit), within=10, what=f"{unit} without {name}")
    if name == "wrong-rule":
        until_rules_are_read()
    until_healthy()
    assert not ledger.entries(home)


def test_every_fault_is_looked_for() -> None:
    others = {"duplicate", "reorder", "poison"}  # these leave no state behind; the storm judges their effects
    assert {found.name for found in FAULTS} == {*SIGNS, *NEW_PROCESS, *others}
    assert all(found.units == UNITS for found in FAULTS if found.name in ("kill", "pause", "restart", "slow"))
