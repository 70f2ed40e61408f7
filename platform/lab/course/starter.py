"""Starters: the platform's module with some bodies taken out.

Signatures, docstrings and everything else stay, so a starter cannot drift from the platform.
"""

import ast

from lab.course.exercise import Exercise, Piece
from lab.errors import LabError

Def = ast.FunctionDef | ast.AsyncFunctionDef


def starter(lab: Exercise, piece: Piece) -> str:
    """The text of the learner's file at the beginning. Raises LabError for an unknown name."""
    text = piece.source.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = dict(names(ast.parse(text)))
    if unknown := piece.left_out.keys() - found.keys():
        raise LabError(f"{piece.module} has no {', '.join(sorted(unknown))}; see {lab.folder.name}.")
    # From the end, so that line numbers further up stay true.
    for name, node in sorted(found.items(), key=lambda item: -item[1].lineno):
        if name in piece.left_out:
            first, last, instead = _cut(lab, node, name, piece.left_out[name])
            lines[first - 1 : last] = instead
    return "\n".join(lines) + "\n"


def names(tree: ast.Module | ast.ClassDef, prefix: str = "") -> list[tuple[str, ast.stmt]]:
    """Functions and assignments by name ('Class.method' in a class), in the order of the text."""
    found: list[tuple[str, ast.stmt]] = []
    for node in tree.body:
        if isinstance(node, Def):
            found.append((prefix + node.name, node))
        elif isinstance(node, ast.ClassDef):
            found += names(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append((prefix + node.targets[0].id, node))
    return found


def _cut(lab: Exercise, node: ast.stmt, name: str, step: int) -> tuple[int, int, list[str]]:
    """First and last line to replace, and by what."""
    last = node.end_lineno or node.lineno
    indent = " " * node.col_offset
    if not isinstance(node, Def):
        return node.lineno, last, [f"{indent}# Lab {lab.number}, step {step}: {name.split('.')[-1]}"]
    documented = ast.get_docstring(node, clean=False) is not None
    if documented:
        first = (node.body[0].end_lineno or node.body[0].lineno) + 1
    else:
        arguments = node.args
        ends = [node.returns, *arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs]
        first = max([node.lineno, *(end.end_lineno or 0 for end in ends if end)]) + 1
        first = min(first, node.body[0].lineno)
    raised = f'raise NotImplementedError("Lab {lab.number}, step {step}: write {name}")'
    return first, last, [f"{indent}    {raised}"]
