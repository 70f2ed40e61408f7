"""Labs that need an option of `./lab up`: their checks run only on a system that has it."""

from collections.abc import Callable, Sequence

import pytest

from grading.stack import backend
from lab.course.exercise import Exercise
from lab.course.options import lacking
from lab.errors import NotWithThisEngine


def need_option(lab: Exercise) -> None:
    """Raise NotWithThisEngine, so the check is not gradable, if the running system lacks the lab's option."""
    if why := lacking(backend, lab):
        sentence, _, command = why.rpartition(": ")
        raise NotWithThisEngine(sentence, command)


def without_option(
    items: Sequence[pytest.Item], lab_of: Callable[[pytest.Item], Exercise]
) -> list[pytest.Item]:
    """Return the checks to leave out of this run: those of labs whose option the running system lacks.

    If the run is about such a lab only, nothing is left out: each check then reports what is missing.
    """
    labs = {lab.number: lab for lab in map(lab_of, items)}
    lacked = {number for number, lab in labs.items() if lacking(backend, lab)}
    if len(lacked) == len(labs):
        return []
    return [item for item in items if lab_of(item).number in lacked]
