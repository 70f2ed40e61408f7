"""Read the labs from their exercise.toml files."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.errors import LabError
from lab.home import LABS, PLATFORM, REPO
from lab.text import shortened

CHECKS = REPO / "checks"


@dataclass(frozen=True)
class Piece:
    """One module that the learner writes.

    `left_out` maps a function (or Class.method, or Class.attribute) to the step that asks for it.
    """

    module: str
    file: Path
    units: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def source(self) -> Path:
        """The platform's own module: the reference solution."""
        return PLATFORM / (self.module.replace(".", "/") + ".py")

    @property
    def pair(self) -> str:
        """The piece as an entry of the variable LAB_CODE."""
        return f"{self.module}={self.file.relative_to(LABS).as_posix()}"


@dataclass(frozen=True)
class Hint:
    """One hint. The hints of a step go from a question to almost the code."""

    step: int
    text: str


@dataclass(frozen=True)
class Exercise:
    """One lab."""

    number: str
    title: str
    minutes: int
    folder: Path
    steps: tuple[str, ...]
    pieces: tuple[Piece, ...]
    hints: tuple[Hint, ...]
    needs: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Maps a step to the steps that it builds on. A change of one of those may change its outcome."""
    option: str = ""
    """The option of `./lab up --with` without which this lab cannot be graded; '' for most labs."""

    @property
    def units(self) -> tuple[str, ...]:
        """The units that run the learner's code."""
        return tuple(dict.fromkeys(unit for piece in self.pieces for unit in piece.units))

    @property
    def checks(self) -> Path:
        """The file with this lab's checks. Raises LabError when there is not exactly one."""
        found = sorted(CHECKS.glob(f"test_{self.number}_*.py"))
        if len(found) != 1:
            raise LabError(f"Lab {self.number} has no file of checks in {CHECKS.name}/.")
        return found[0]


def _read(file: Path) -> Exercise:
    """Return the lab that the file describes. Raises LabError when the file does not describe one."""
    try:
        return _made(file)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = shortened(f"{type(error).__name__}: {error}", 120)
        raise LabError(
            f"{file} does not describe a lab ({why}). Restore the original: git checkout -- '{file}'"
        ) from error


def _made(file: Path) -> Exercise:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    pieces = tuple(
        Piece(p["module"], file.parent / p["file"], tuple(p["units"]), dict(p["left_out"]))
        for p in data["pieces"]
    )
    hints = tuple(Hint(h["step"], " ".join(h["text"].split())) for h in data["hints"])
    needs = {int(step): tuple(others) for step, others in data.get("needs", {}).items()}
    return Exercise(
        file.parent.name[:2], data["title"], data["minutes"], file.parent, tuple(data["steps"]), pieces,
        hints, needs, data.get("option", ""),
    )  # fmt: skip


@cache
def exercises() -> tuple[Exercise, ...]:
    """Return all labs in their order."""
    return tuple(_read(file) for file in sorted(LABS.glob("[0-9][0-9]-*/exercise.toml")))


def exercise(number: str) -> Exercise:
    """Return the lab called '7', '07' or '07-feeds'. Raises LabError for any other name."""
    for found in exercises():
        if number in (found.number, found.number.lstrip("0"), found.folder.name):
            return found
    known = ", ".join(found.number for found in exercises())
    named = shortened(number) or "without a number"
    raise LabError(f"There is no lab {named}. The labs are {known}. See their titles: ./lab list")
