"""Generate a starter: the platform's module with the parts that a lab asks for taken out.

Signatures, docstrings and everything else stay, so a starter cannot drift from the platform. The running
system needs the starter as well: it tells which parts of a learner's file are still untouched.
"""

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Def = ast.FunctionDef | ast.AsyncFunctionDef
DESCRIPTION = "exercise.toml"


@dataclass(frozen=True)
class Task:
    """What a lab asks for in one module.

    `left_out` maps a function (or Class.method, or Class.attribute) to the step that asks for it.
    """

    lab: str
    module: str
    left_out: Mapping[str, int]


def task_beside(file: Path, module: str) -> Task | None:
    """The task that the exercise.toml beside a learner's file describes; None where there is none."""
    try:
        data = tomllib.loads((file.parent / DESCRIPTION).read_text(encoding="utf-8"))
        pieces = [piece for piece in data["pieces"] if piece["module"] == module]
        return Task(file.parent.name[:2], module, dict(pieces[0]["left_out"])) if pieces else None
    except (OSError, ValueError, LookupError):
        return None


def starter_text(platform: str, task: Task) -> str:
    """The text of the learner's file at the beginning. Raises LookupError for an unknown name."""
    lines = platform.splitlines()
    nodes = dict(names(ast.parse(platform)))
    if unknown := task.left_out.keys() - nodes.keys():
        raise LookupError(f"{task.module} has no {', '.join(sorted(unknown))}.")
    # From the end, so that line numbers further up stay true.
    for name, node in sorted(nodes.items(), key=lambda item: -item[1].lineno):
        if name in task.left_out:
            first, last, instead = _cut(task, node, name)
            lines[first - 1 : last] = instead
    return "\n".join(lines) + "\n"


def names(tree: ast.Module | ast.ClassDef, prefix: str = "") -> list[tuple[str, ast.stmt]]:
    """Functions and assignments by name ('Class.method' in a class), in the order of the text."""
    named: list[tuple[str, ast.stmt]] = []
    for node in tree.body:
        if isinstance(node, Def):
            named.append((prefix + node.name, node))
        elif isinstance(node, ast.ClassDef):
            named += names(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.append((prefix + node.targets[0].id, node))
    return named


def gap(lab: str, step: int, name: str) -> str:
    """What a starter says in place of a function's body."""
    return f"Lab {lab}, step {step}: write {name}"


def _cut(task: Task, node: ast.stmt, name: str) -> tuple[int, int, list[str]]:
    """First and last line to replace, and by what."""
    last = node.end_lineno or node.lineno
    indent = " " * node.col_offset
    step = task.left_out[name]
    if not isinstance(node, Def):
        return node.lineno, last, [f"{indent}# Lab {task.lab}, step {step}: {name.split('.')[-1]}"]
    documented = ast.get_docstring(node, clean=False) is not None
    if documented:
        first = (node.body[0].end_lineno or node.body[0].lineno) + 1
    else:
        arguments = node.args
        ends = [node.returns, *arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs]
        first = max([node.lineno, *(end.end_lineno or 0 for end in ends if end)]) + 1
        first = min(first, node.body[0].lineno)
    return first, last, [f'{indent}    raise NotImplementedError("{gap(task.lab, step, name)}")']
