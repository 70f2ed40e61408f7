"""What a submission holds, and the names of its parts in the archive.

manifest.json       who, when, which labs, and the versions of the course and of Python
record.json         the learner's record of these labs: verdicts, seeds, hints, times
predictions.json    the answers to the predictions of the notebooks
labs/01-services/api.py …   the learner's files
"""

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab.course.exercise import CHECKS, Exercise, Piece, exercises
from lab.home import LABS

KIND = "civildiy-lab-submission"
FORMAT = 1
MANIFEST, RECORD, PREDICTIONS = "manifest.json", "record.json", "predictions.json"
LONGEST_NAME = 100
LARGEST_FILE = 256 * 1024
"""Bytes of one of the learner's files; the largest starter has 10 KB."""
LARGEST_JSON = 1024 * 1024
LARGEST_ARCHIVE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Submission:
    """A submission that can be judged. `files` maps a path below labs/ ("01-services/api.py") to its content.

    `id` tells apart two submissions with the same name; `remarks` are sentences for the instructor.
    """

    id: str
    archive: str
    name: str
    made: str
    course: str
    files: dict[str, bytes]
    record: dict[str, Any] = field(default_factory=dict)
    predictions: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def files_of(self, lab: Exercise) -> dict[str, bytes]:
        """Return the files of one lab by their names below labs/; {} when none was submitted."""
        names = [below_labs(piece) for piece in lab.pieces]
        return {name: self.files[name] for name in names if name in self.files}


@dataclass(frozen=True)
class Refused:
    """A file that cannot be judged, and why. `why` is a sentence for the instructor."""

    id: str
    archive: str
    name: str
    why: str


def below_labs(piece: Piece) -> str:
    """Return the path of a learner's file below labs/, such as "01-services/api.py"."""
    return piece.file.relative_to(LABS).as_posix()


def known_files() -> dict[str, Piece]:
    """Return all files that learners write, by their paths below labs/."""
    return {below_labs(piece): piece for lab in exercises() for piece in lab.pieces}


@cache
def course_version() -> str:
    """Return a short hash of the graders and of the labs' descriptions: the version of what is judged."""
    digest = hashlib.sha256()
    for file in [*sorted(CHECKS.rglob("*.py")), CHECKS / "steps.toml", *_descriptions()]:
        digest.update(file.relative_to(LABS.parent).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _descriptions() -> list[Path]:
    return [lab.folder / "exercise.toml" for lab in exercises()]
