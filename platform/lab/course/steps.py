"""Find for each step of a lab whether its code is written, and which checks judge it."""

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from civildiy.course_runtime.loader import parsed
from civildiy.course_runtime.starter import gap
from civildiy.course_runtime.written import Written, written
from lab.course.exercise import CHECKS, Exercise, Piece
from lab.course.starter import starter
from lab.home import LABS


class State(StrEnum):
    """Whether the code of a step is written."""

    OPEN = "open"
    WRITTEN = "written"
    BROKEN = "broken"
    """The code cannot run, for example because of a syntax error."""


@dataclass
class Step:
    """One step as the learner's files have it now. `why` tells what is wrong with a broken one."""

    number: int
    title: str
    state: State = State.OPEN
    why: str = ""
    untouched: list[str] = field(default_factory=list)
    lines: list[tuple[str, int, int]] = field(default_factory=list)
    """Where its code is: the file (as incidents name it), the first and the last line."""

    @property
    def runs(self) -> str:
        """Whose code the system runs for this step."""
        if self.state is not State.WRITTEN:
            return "the platform's code"
        return "your code, and the platform's for the rest" if self.untouched else "your code"

    def holds(self, file: str, line: int) -> bool:
        """Tell whether this line belongs to the code of the step."""
        return any(file == name and first <= line <= last for name, first, last in self.lines)


@cache
def _judged() -> dict[str, dict[str, int]]:
    return tomllib.loads((CHECKS / "steps.toml").read_text(encoding="utf-8"))


def judged_by(lab: Exercise, check: str) -> int:
    """Return the step that a check (the name of its test) judges; 0 when it is not listed."""
    return _judged().get(lab.number, {}).get(check.partition("[")[0], 0)


def checks_of(lab: Exercise, step: int) -> list[str]:
    """Return the checks that judge a step."""
    return [name for name, judged in _judged().get(lab.number, {}).items() if judged == step]


def steps_of(lab: Exercise, files: Mapping[str, Path]) -> list[Step]:
    """Return all steps of a lab as they are now. `files` holds the file that runs for each module."""
    found = [Step(number, title) for number, title in enumerate(lab.steps, 1)]
    for piece in lab.pieces:
        _look(lab, piece, files.get(piece.module, piece.file), found)
    return found


def _look(lab: Exercise, piece: Piece, file: Path, found: list[Step]) -> None:
    """Add what one file contains to the steps in `found`."""
    mine = {step.number: step for step in found if step.number in piece.left_out.values()}
    named = f"labs/{file.relative_to(LABS)}" if file.is_relative_to(LABS) else file.name
    try:
        there = written({*piece.left_out}, ast.parse(starter(lab, piece)), parsed(str(file)))
    except (SyntaxError, ImportError, RecursionError) as error:
        for step in mine.values():
            step.state, step.why = State.BROKEN, _why(named, error)
        return
    for name, number in piece.left_out.items():
        _enter(mine[number], name, there, file)
    for name in sorted(there.gone):
        step = mine[piece.left_out[name]]
        # A solution may do without a private function, as long as the step has code.
        if step.state is State.BROKEN or (name.rpartition(".")[2].startswith("_") and step.lines):
            continue
        step.state = State.BROKEN
        step.why = f"{named} has no `{name}`, so the platform's own runs in its place."


def _enter(step: Step, name: str, there: Written, file: Path) -> None:
    if name in there.untouched:
        step.untouched.append(name)
    elif name in there.changed:
        step.lines.append(("/".join(file.parts[-2:]), *there.changed[name]))
        if step.state is State.OPEN:
            step.state = State.WRITTEN


def _why(named: str, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{named}, line {error.lineno or 1}: {type(error).__name__}: {error.msg}"
    return f"{named} cannot be read: {error}"


def first_gap(lab: Exercise, step: Step) -> str:
    """Return the starter's text about the first name of a step that is not written."""
    names = [name for piece in lab.pieces for name, number in piece.left_out.items() if number == step.number]
    return gap(lab.number, step.number, (step.untouched or names)[0])


def unwritten(lab: Exercise, files: Mapping[str, Path]) -> dict[int, str]:
    """Return the steps without code, each with the starter's text about its first gap."""
    return open_of(lab, steps_of(lab, files))


def open_of(lab: Exercise, found: list[Step]) -> dict[int, str]:
    """Return the open ones of these steps, each with the starter's text about its first gap."""
    return {step.number: first_gap(lab, step) for step in found if step.state is State.OPEN}


def own_code(lab: Exercise, files: Mapping[str, Path]) -> list[int]:
    """Return the steps for which the learner's code runs."""
    return [step.number for step in steps_of(lab, files) if step.state is State.WRITTEN]


def units_of(lab: Exercise, step: int) -> tuple[str, ...]:
    """Return the units that run the code of this step, or all units of the lab for 0."""
    pieces = [piece for piece in lab.pieces if not step or step in piece.left_out.values()]
    return tuple(dict.fromkeys(unit for piece in pieces for unit in piece.units))


def dependents(lab: Exercise, changed: set[int]) -> set[int]:
    """Return the steps that build on the changed ones, directly or through others: see Exercise.needs."""
    found = {*changed}
    while more := {step for step, needs in lab.needs.items() if {*needs} & found} - found:
        found |= more
    return found - changed
