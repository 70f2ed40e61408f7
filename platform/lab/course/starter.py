"""Make the starters of the labs' files, by the rule that the running system uses as well."""

from civildiy.course_runtime.starter import Task, starter_text
from lab.course.exercise import Exercise, Piece
from lab.errors import LabError


def task(lab: Exercise, piece: Piece) -> Task:
    """Return what the lab asks for in one file."""
    return Task(lab.number, piece.module, piece.left_out)


def starter(lab: Exercise, piece: Piece) -> str:
    """Return the text of the learner's file at the beginning. Raises LabError for an unknown name."""
    try:
        return starter_text(piece.source.read_text(encoding="utf-8"), task(lab, piece))
    except LookupError as error:
        raise LabError(f"{error.args[0]} See labs/{lab.folder.name}/exercise.toml.") from None
