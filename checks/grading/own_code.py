"""The learner's code before a check: is it written, is it loaded, and do its units take part."""

import time

from grading import judge
from grading.stack import backend, home
from lab.course import running, steps
from lab.course.exercise import Exercise
from lab.course.steps import State, Step
from lab.errors import LabError
from lab.probes.readiness import slow

SETTLE_SECONDS = 6.0
CONSUL_SEES_SECONDS = 1.5
noted: list[running.Incident] = []
"""Files that could not be imported by a tool which the running check started."""


def refuse(lab: Exercise, step: Step, known: dict[str, list[running.Incident]]) -> None:
    """Nobody waits for what cannot happen. Raises judge.Unwritten and judge.Broken.

    `known` keeps what each unit said of files that cannot be used.
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
    """What a check says of a step whose code cannot run."""
    return judge.Broken(
        f"read what you wrote for step {step}", "Python that can be imported, with the names of the starter",
        why, f"The platform's code runs for this step until that is repaired. ./lab reset {lab.number} puts"
        " the starter there, and keeps a copy of your file.",
    )  # fmt: skip


def refuse_unusable(lab: Exercise, step: Step) -> None:
    """Raises judge.Broken when a file with code of this step raised while it was imported."""
    for unit in steps.units_of(lab, step.number):
        _refuse_unusable(lab, step, running.unusable(backend, unit))


def what_counts(lab: Exercise, step: Step, error: BaseException | None) -> BaseException | None:
    """The error of a check, or that its file could not be imported, which is known only after the import.

    A pass would then be the platform's: a process says that it has begun before it imports the file.
    """
    if isinstance(error, judge.Unwritten | judge.Broken | KeyboardInterrupt):
        return error
    try:
        refuse_unusable(lab, step)
        _refuse_unusable(lab, step, noted)
    except judge.Broken as found:
        return found
    return error


def _refuse_unusable(lab: Exercise, step: Step, found: list[running.Incident]) -> None:
    files = running.running_files(home, lab)
    pieces = [piece for piece in lab.pieces if step.number in piece.left_out.values()]
    names = {"/".join(files[piece.module].parts[-2:]) for piece in pieces}
    for incident in found:
        if incident.file in names:
            raise broken(lab, step.number, str(incident))


def _begun(unit: str) -> float:
    """When `unit` began to run the saved files, Unix seconds. Raises LabError."""
    try:
        return running.wait_until_loaded(home, backend, unit)
    except LabError:
        # Code that never gives the interpreter back (a regular expression can do that) sees no save.
        backend.restart(unit)
        return running.wait_until_loaded(home, backend, unit)


def wait_until_loaded(lab: Exercise, step: int, settled: dict[str, float]) -> None:
    """The saved files are loaded and the units that run this step take part.

    `settled` keeps for which load was waited already. Raises judge.OwnCodeFailed when the learner's code
    said why a unit does not take part, LabError when a unit does not run the saved files.
    """
    units = steps.units_of(lab, step)
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
