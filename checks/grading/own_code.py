"""The learner's code before a check: is it written, is it loaded, and do its units take part."""

import os
import time

from civildiy.course_runtime.finder import fingerprint
from grading import judge
from grading.stack import backend, home
from lab.course import running, steps
from lab.course.exercise import LABS, Exercise
from lab.errors import LabError
from lab.probes.readiness import slow

SETTLE_SECONDS = 6.0
CONSUL_SEES_SECONDS = 1.5


def refuse_unwritten(lab: Exercise, check: str) -> None:
    """Nobody waits for what cannot happen. Raises judge.NoFile and judge.Unwritten."""
    files = running.running_files(home, lab)
    for file in files.values():
        if fingerprint(file) == "missing":
            kind = "a folder" if file.is_dir() else "not readable" if os.path.lexists(file) else "not there"
            raise judge.NoFile(
                f"looked for labs/{file.relative_to(LABS)}", "a file of Python", f"it is {kind}",
                f"The system runs this file. ./lab reset {lab.number} puts the starter there.",
            )  # fmt: skip
    needed = steps.needed(lab, check)
    gaps = steps.unwritten(lab, files)
    missing = [gap for step, gap in gaps.items() if step in needed]
    if missing or (not needed and len(gaps) == len(lab.steps)):
        raise judge.Unwritten(missing[0] if missing else next(iter(gaps.values())))


def _begun(unit: str) -> float:
    """When `unit` began to run the saved files, Unix seconds. Raises LabError."""
    try:
        return running.wait_until_loaded(home, backend, unit)
    except LabError:
        # Code that never gives the interpreter back (a regular expression can do that) sees no save.
        backend.restart(unit)
        return running.wait_until_loaded(home, backend, unit)


def wait_until_loaded(lab: Exercise, check: str, settled: dict[str, float]) -> None:
    """The saved files are loaded and the units that this check needs take part.

    `settled` keeps for which load was waited already. Raises judge.OwnCodeFailed when the learner's code
    said why a unit does not take part, LabError when a unit does not run the saved files.
    """
    units = steps.units_of(lab, steps.needed(lab, check))
    began = {unit: _begun(unit) for unit in units}
    loaded, key = min(began.values()), f"{lab.number} {units}"
    deadline = time.monotonic() + SETTLE_SECONDS * slow()
    # Consul still believes the process that was there before until it has asked once more.
    while (absent := judge.absent_units(units)) or time.time() - loaded < CONSUL_SEES_SECONDS:
        # What another unit of the lab met meanwhile is no reason for this one to be away.
        happened = [found for unit in absent for found in running.incidents(backend, (unit,), began[unit])]
        if happened and not happened[-1].not_attempted and happened[-1].kind != "raised":
            break
        if happened and any(running.is_waiting(backend, unit) for unit in absent):
            break  # for the next save: nothing will change before
        late = time.monotonic() > deadline or settled.get(key) == loaded
        if late or len(happened) > 1:
            break
        time.sleep(0.05)
    settled[key] = loaded
    if absent and running.incidents(backend, (absent[0],), began[absent[0]]):
        raise judge.OwnCodeFailed(absent[0], loaded)
