"""The learner's code before a check: is it written, is it loaded, and do its units serve requests?"""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from civildiy.course_runtime.finder import fingerprint
from grading import judge
from grading.stack import backend, home
from lab.course import running, steps
from lab.course.exercise import Exercise
from lab.course.steps import State, Step
from lab.deadlines import slow
from lab.errors import LabError

SETTLE_SECONDS = 6.0
CONSUL_SEES_SECONDS = 1.5
noted: list[running.Incident] = []
"""Files that could not be imported by a tool of the running check."""


@dataclass
class Settled:
    """What was already waited for in this run of the checks, so that no check waits for it again."""

    loads: dict[str, float] = field(default_factory=dict)
    """By lab and units: when these began to run the saved files, in Unix seconds."""
    others: set[tuple[str, ...]] = field(default_factory=set)
    """Lab, unit of other steps, and the fingerprints of the saved files."""


def refuse(lab: Exercise, step: Step, known: dict[str, list[running.Incident]]) -> None:
    """Fail at once when the step has no code, or code that cannot run. Raises judge.Unwritten, judge.Broken.

    `known` remembers, by unit, the files that it could not import.
    """
    if step.state is State.BROKEN:
        raise broken(lab, step.number, step.why)
    if step.state is State.OPEN:
        for unit in steps.units_of(lab, step.number):
            if unit not in known:
                known[unit] = running.unusable(backend, unit)
            _refuse_unusable(lab, step, known[unit])
        raise judge.Unwritten(steps.first_gap(lab, step))


def broken(lab: Exercise, step: int, why: str) -> judge.Broken:
    """Return the error for a step whose code cannot run."""
    return judge.Broken(
        f"read what you wrote for step {step}", "Python that can be imported, with the names of the starter",
        why, f"The platform's code runs for this step until yours is repaired. ./lab reset {lab.number} puts"
        " the starter back and keeps a copy of your file.",
    )  # fmt: skip


def refuse_unusable(lab: Exercise, step: Step) -> None:
    """Raise judge.Broken when a file with code of this step failed during its import."""
    for unit in steps.units_of(lab, step.number):
        _refuse_unusable(lab, step, running.unusable(backend, unit))


def what_counts(lab: Exercise, step: Step, error: BaseException | None) -> BaseException | None:
    """Return the error of a check, or judge.Broken if the file of its step could not be imported.

    Without this, a pass would be the platform's: a process reports its start before it imports the file.
    """
    if isinstance(error, judge.Unwritten | judge.Broken | KeyboardInterrupt):
        return error
    try:
        refuse_unusable(lab, step)
        _refuse_unusable(lab, step, noted)
    except judge.Broken as broken_file:
        return broken_file
    return error


def _refuse_unusable(lab: Exercise, step: Step, found: list[running.Incident]) -> None:
    files = running.running_files(home, lab)
    pieces = [piece for piece in lab.pieces if step.number in piece.left_out.values()]
    names = {"/".join(files[piece.module].parts[-2:]) for piece in pieces}
    for incident in found:
        if incident.file in names:
            raise broken(lab, step.number, str(incident))


def _begun(unit: str) -> float:
    """Return when `unit` started to run the saved files, in Unix seconds. Raises LabError."""
    try:
        return running.wait_until_loaded(home, backend, unit)
    except LabError:
        # Code that never returns to the interpreter, such as a slow regular expression, notices no save.
        backend.restart(unit)
        return running.wait_until_loaded(home, backend, unit)


def wait_until_loaded(lab: Exercise, step: int, settled: Settled) -> None:
    """Wait until the saved files are loaded and the units that run this step serve requests.

    `settled` is changed. Raises judge.OwnCodeFailed when the learner's
    code is the reason for a missing unit, LabError when a unit does not run the saved files.
    """
    units = steps.units_of(lab, step)
    began = {unit: _begun(unit) for unit in units}
    loaded, key = min(began.values()), f"{lab.number} {units}"
    deadline = time.monotonic() + SETTLE_SECONDS * slow()
    # Until its next health check, Consul still knows the process that ran before.
    while (absent := judge.absent_units(units)) or time.time() - loaded < CONSUL_SEES_SECONDS:
        # An error in another unit of the lab does not explain why this one is missing.
        happened = [event for unit in absent for event in running.incidents(backend, (unit,), began[unit])]
        if happened and not happened[-1].not_attempted and happened[-1].kind != "raised":
            break
        if happened and any(running.is_waiting(backend, unit) for unit in absent):
            break  # the unit waits for the next save: nothing will change before that
        late = time.monotonic() > deadline or settled.loads.get(key) == loaded
        if late or len(happened) > 1:
            break
        time.sleep(0.05)
    settled.loads[key] = loaded
    if absent and running.incidents(backend, (absent[0],), began[absent[0]]):
        raise judge.OwnCodeFailed(absent[0], loaded)
    for unit in lab.units:
        if unit not in units:
            _wait_for_another(lab, unit, settled.others)


def _wait_for_another(lab: Exercise, unit: str, waited: set[tuple[str, ...]]) -> None:
    """Wait once for a unit that runs other steps: one save restarts all units, and each user needs auth.

    What is wrong with it is for the checks of those steps to tell.
    """
    files = running.running_files(home, lab).values()
    saved = (lab.number, unit, *(fingerprint(file) for file in files))
    if saved in waited:
        return
    waited.add(saved)
    deadline = time.monotonic() + SETTLE_SECONDS * slow()
    with suppress(LabError):
        began = running.wait_until_loaded(home, backend, unit)
        while judge.absent_units((unit,)) or time.time() - began < CONSUL_SEES_SECONDS:
            if time.monotonic() > deadline or running.incidents(backend, (unit,), began):
                break
            time.sleep(0.05)
