"""A lab may need an option of `./lab up`: whether the running system has it, and what to do if not."""

from lab.backends.protocol import Backend
from lab.course.exercise import Exercise
from lab.errors import LabError


def lacking(backend: Backend, lab: Exercise) -> str:
    """Return in one sentence what to do before `lab` can run; '' if the system has what the lab needs.

    A system that is down lacks nothing here: the commands that need it tell that in their own words.
    """
    if not lab.option or not backend.running() or lab.option in backend.options():
        return ""
    return (
        f"Lab {lab.number} needs the option {lab.option}, so start the system again with it (its data"
        f" stays): ./lab up --with {lab.option}"
    )


def must_have(backend: Backend, lab: Exercise) -> None:
    """Raise LabError if the running system lacks the option that the lab needs."""
    if why := lacking(backend, lab):
        raise LabError(why)
