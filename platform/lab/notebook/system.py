"""Examine the whole system, show it, and stop parts of it on purpose."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab import topology
from lab.backends.protocol import Unit
from lab.course import running
from lab.course.partitions import BACK_TO_ONE, too_many
from lab.deadlines import slow
from lab.errors import LabError
from lab.notebook.diagram import Drawing
from lab.notebook.picture import Picture
from lab.notebook.registry import health
from lab.notebook.stack import backend, eventually, home
from lab.probes import local_http
from lab.probes.instances import second_instance
from lab.probes.readiness import waiting_for

PATIENCE_SECONDS = 30.0
STOPPED_SECONDS = 5.0
"""A unit that was killed is stopped for a moment as well, until the supervisor starts it again."""

PLACES = {unit.name: unit.map for unit in topology.BY_NAME.values()}
"""Upper left corner of each unit's box on the map."""
WIDE, HIGH = 160, 58
MARGIN = 30


def ready() -> None:
    """Print that the system is up. Raises LabError with the problem and the command to type."""
    if not backend.running():
        raise LabError("The system is not running: start it in a terminal with ./lab up")
    began = time.monotonic()
    while trouble := _trouble():
        patience = STOPPED_SECONDS if " is stopped" in trouble else PATIENCE_SECONDS
        if time.monotonic() - began > patience * slow():
            raise LabError(trouble)
        time.sleep(0.1)
    if several := too_many(backend, "the notebooks"):
        raise LabError(f"Not this system: {several}. To work through them: {BACK_TO_ONE}")
    # An option's servers only watch the others. Without them, the number is the same with and without it.
    units = [u for u in backend.units() if u.name[-2:] != "-2" and u.name not in topology.OPTIONAL]
    print(f"The system is up: {len(units)} units run.")
    for lab in running.active(home):
        print(f"Your code of lab {lab.number} runs in {', '.join(lab.units)} (./lab stop {lab.number}).")


def _trouble() -> str:
    """Return what is missing, as one sentence with a command; '' when nothing is."""
    for unit in backend.units():
        if not unit.name.endswith("-2") and unit.pid is None:
            return f"{unit.name} is stopped: start it in a terminal with ./lab restart {unit.name}"
    with local_http.client(timeout=3) as client:
        missing = waiting_for(backend.endpoints(), client)
    if not missing:
        return ""
    return f"The system runs, but this is missing: {missing[0]}; look in a terminal with ./lab status"


def unit(name: str) -> Unit:
    """Return the unit called `name`, as it is now."""
    return next(found for found in backend.units() if found.name == name)


def _ends(start: str, end: str) -> tuple[float, float, float, float]:
    """Return where an arrow from box to box begins and ends: down a column, to the left or to the right."""
    (x1, y1), (x2, y2) = PLACES[start], PLACES[end]
    if x1 == x2:
        return x1 + WIDE / 2, y1 + HIGH, x2 + WIDE / 2, y2
    if x1 > x2:
        return x1, y1 + HIGH / 2, x2 + WIDE, y2 + HIGH / 2
    if topology.BY_NAME[start].kind == "worker":  # the middle of the other box belongs to its service
        return x1 + WIDE, y1 + HIGH * 3 / 4, x2 + WIDE / 4, y2
    return x1 + WIDE, y1 + HIGH / 2, x2, y2 + HIGH / 2


def show() -> Picture:
    """Return a map of the system with each unit's health."""
    states, checks = {u.name: u for u in backend.units()}, health()
    right, bottom = max(x for x, _ in PLACES.values()) + WIDE, max(y for _, y in PLACES.values()) + HIGH
    drawing = Drawing(right + MARGIN, bottom + MARGIN)
    words = []
    for start, end in topology.arrows():
        drawing.arrow(*_ends(start, end))
    drawing.arrow(5, 176, 60, 176, "HTTP")
    drawing.arrow(330, 60, 180, 150, "rules and servers", dashed=True)
    drawing.arrow(420, 110, 420, 72, dashed=True)
    drawing.text(428, 95, "each service registers itself")
    for name, (x, y) in PLACES.items():
        found = states.get(name)
        state = found.state if found else "absent"
        seen = f"{state} · Consul: {checks[name]}" if name in checks else state
        good = state == "running" and checks.get(name, "passing") == "passing"
        memory = f"{found.memory / 1e6:.0f} MB" if found and found.pid else "no process"
        words.append(f"{name} {seen}, {memory}")
        drawing.box(x, y, WIDE, HIGH, (name, seen, memory), good=good)
    return Picture(drawing.svg(), f"Map of the system, now: {'; '.join(words)}.", "The system as it is now")


@contextmanager
def stopped(name: str) -> Iterator[None]:
    """Stop a unit during the block. When the block ends, the unit runs and answers again."""
    backend.stop_unit(name)
    try:
        yield
    finally:
        backend.start_unit(name)
        back(name)


@contextmanager
def frozen(name: str) -> Iterator[None]:
    """Freeze all processes of a unit during the block: they keep their ports and do not answer."""
    by_hand = backend.kind == "inside"
    backend.signal(name, signal.SIGSTOP) if by_hand else backend.freeze(name)
    try:
        yield
    finally:
        backend.signal(name, signal.SIGCONT) if by_hand else backend.thaw(name)
        back(name)


@contextmanager
def second(service: str) -> Iterator[str]:
    """Run a second instance of a service during the block; yields its unit."""
    with second_instance(backend, service) as name:
        yield name


def kill(name: str) -> None:
    """Send SIGKILL to a unit. The supervisor starts it again."""
    before = unit(name).pid
    backend.signal(name, signal.SIGKILL)
    eventually(lambda: unit(name).pid not in (None, before), what=f"{name} to be started again")


def back(name: str) -> None:
    """Wait until a unit runs and the whole system is healthy."""
    eventually(lambda: unit(name).pid and not _trouble(), within=60, what=f"{name} to be back")
