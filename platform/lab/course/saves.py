"""Find which steps a save changed, and so which are judged next."""

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from civildiy.course_runtime.finder import fingerprint
from civildiy.course_runtime.loader import parsed
from civildiy.course_runtime.scope import shape
from civildiy.course_runtime.starter import names
from lab.course import running, steps
from lab.course.exercise import Exercise
from lab.course.steps import State
from lab.home import Home


@dataclass(frozen=True)
class Shapes:
    """The code of each step without comments, and the rest of the files that contain it."""

    own: dict[int, str]
    shared: dict[int, str]


class Saves:
    """Compares a lab's files with their content when the last checks started."""

    def __init__(self, home: Home, lab: Exercise) -> None:
        self._home, self._lab = home, lab
        self._prints: list[str] = []
        self._known = Shapes({}, {})

    def happened(self) -> bool:
        """Tell whether a file has changed since `take`."""
        return self._prints != self._fingerprints()

    def take(self, only: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the written steps that changed since the last call, then those that may depend on them.

        `only` limits the result to some steps; () means all. A change outside the code of all steps, such as
        a comment, leads to one round of all steps, which `()` stands for.
        """
        self._prints = (
            self._fingerprints()
        )  # before the files are read, so that a save from now on counts as the next one
        before, now = self._known, _shapes(self._home, self._lab)
        self._known = now
        changed = {step for step, text in now.own.items() if text != before.own.get(step)}
        around = {step for step, text in now.shared.items() if text != before.shared.get(step)}
        first = changed or around
        later = (around | steps.dependents(self._lab, first)) - first
        chosen = [self._written(some, only) for some in (first, later)]
        return tuple(some for some in chosen if some) or (only,)

    def _written(self, numbers: set[int], only: tuple[int, ...]) -> tuple[int, ...]:
        """Return those of the steps that are not open, in their order."""
        found = steps.steps_of(self._lab, running.running_files(self._home, self._lab))
        steps_to_judge = {*only} or {step.number for step in found}
        return tuple(
            s.number for s in found if s.number in numbers & steps_to_judge and s.state is not State.OPEN
        )

    def _fingerprints(self) -> list[str]:
        return [fingerprint(piece.file) for piece in self._lab.pieces]


def _shapes(home: Home, lab: Exercise) -> Shapes:
    own: dict[int, list[str]] = {}
    shared: dict[int, list[str]] = {}
    for piece in lab.pieces:
        file = running.running_files(home, lab)[piece.module]
        asked = {*piece.left_out.values()}
        try:
            tree = parsed(str(file))
        except (SyntaxError, ImportError):
            for step in asked:
                own.setdefault(step, []).append(fingerprint(file))
            continue
        mine = {id(node): piece.left_out[name] for name, node in names(tree) if name in piece.left_out}
        texts = [(mine[id(node)], shape(node)) for _, node in names(tree) if id(node) in mine]
        rest = shape(_Without(mine).visit(tree))
        for step in asked:
            own.setdefault(step, []).extend(text for number, text in texts if number == step)
            shared.setdefault(step, []).append(rest)
    return Shapes({n: _short(t) for n, t in own.items()}, {n: _short(t) for n, t in shared.items()})


class _Without(ast.NodeTransformer):
    """Removes the code of the steps from a module."""

    def __init__(self, taken: Iterable[int]) -> None:
        self._taken = {*taken}

    def visit(self, node: ast.AST) -> Any:
        """Return None for a node to remove."""
        return None if id(node) in self._taken else self.generic_visit(node)


def _short(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="replace")).hexdigest()
