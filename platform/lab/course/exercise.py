"""An exercise as its exercise.toml describes it."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.errors import LabError
from lab.home import PLATFORM, REPO
from lab.text import shortened

LABS = REPO / "labs"
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
        """How LAB_CODE names it."""
        return f"{self.module}={self.file.relative_to(LABS).as_posix()}"


@dataclass(frozen=True)
class Hint:
    """One hint; hints of a step go from vague to concrete."""

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
    """Steps by the steps that they build on: who changes one of these has these judged again."""

    @property
    def units(self) -> tuple[str, ...]:
        """The units that run the learner's code."""
        return tuple(dict.fromkeys(unit for piece in self.pieces for unit in piece.units))

    @property
    def checks(self) -> Path:
        """The file that grades this lab."""
        found = sorted(CHECKS.glob(f"test_{self.number}_*.py"))
        if len(found) != 1:
            raise LabError(f"Lab {self.number} has no file of checks in {CHECKS.name}/.")
        return found[0]


def _read(file: Path) -> Exercise:
    """The lab that the file describes. Raises LabError when it was changed into something else."""
    try:
        return _made(file)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = shortened(f"{type(error).__name__}: {error}", 120)
        raise LabError(
            f"{file} does not describe a lab ({why}). The original: git checkout -- '{file}'"
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
        hints, needs,
    )  # fmt: skip


@cache
def exercises() -> tuple[Exercise, ...]:
    """All labs in order."""
    return tuple(_read(file) for file in sorted(LABS.glob("[0-9][0-9]-*/exercise.toml")))


def exercise(number: str) -> Exercise:
    """The lab called '7', '07' or '07-feeds'. Raises LabError."""
    for found in exercises():
        if number in (found.number, found.number.lstrip("0"), found.folder.name):
            return found
    known = ", ".join(found.number for found in exercises())
    raise LabError(f"There is no lab {number}. Labs: {known}. See them: ./lab list")
