"""How far a learner is: the steps of a lab of which nothing is written yet."""

import ast
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lab.course.exercise import CHECKS, Exercise
from lab.course.starter import Def, names


@cache
def _needs() -> dict[str, dict[str, list[int]]]:
    return tomllib.loads((CHECKS / "steps.toml").read_text(encoding="utf-8"))


def needed(lab: Exercise, check: str) -> tuple[int, ...]:
    """The steps without which a check (by its test's name) cannot pass; () when that is not known."""
    return tuple(_needs().get(lab.number, {}).get(check.partition("[")[0], ()))


def unwritten(lab: Exercise, files: Mapping[str, Path]) -> dict[int, str]:
    """Steps of which nothing is written, with the starter's words for the first gap of each.

    `files`: the file that runs for each module. One that does not compile counts as written: what is wrong
    with it is for the checks to say.
    """
    gaps: dict[int, str] = {}
    begun: set[int] = set()
    for piece in lab.pieces:
        there = _written(files.get(piece.module, piece.file), piece.left_out)
        for name, step in piece.left_out.items():
            if name in there:
                begun.add(step)
            else:
                gaps.setdefault(step, f"Lab {lab.number}, step {step}: write {name}")
    return {step: gaps[step] for step in sorted(gaps.keys() - begun)}


def units_of(lab: Exercise, steps: tuple[int, ...]) -> tuple[str, ...]:
    """The units that run the code of these steps; all of the lab's for ()."""
    pieces = [piece for piece in lab.pieces if not steps or {*steps} & {*piece.left_out.values()}]
    return tuple(dict.fromkeys(unit for piece in pieces for unit in piece.units))


def _written(file: Path, left_out: Mapping[str, int]) -> set[str]:
    """Which of the names left out are more than the starter's gap."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set(left_out)
    found = dict(names(tree))
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    gaps = {name for name in left_out if name in found and _is_gap(found[name])}
    # In place of a value that is not a function there stands a comment.
    short = {name: name.rpartition(".")[2] for name in left_out.keys() - found.keys()}
    gaps |= {n for n, s in short.items() if s not in stored and f"step {left_out[n]}: {s}" in text}
    return left_out.keys() - gaps


def _is_gap(node: ast.stmt) -> bool:
    """Whether a function's body is the starter's raise and nothing else."""
    if not isinstance(node, Def):
        return False
    last = node.body[-1]
    short = len(node.body) <= 1 + (ast.get_docstring(node) is not None)
    return short and isinstance(last, ast.Raise) and "NotImplementedError('Lab " in ast.unparse(last)
