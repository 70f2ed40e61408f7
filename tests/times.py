"""How long a lesson takes by the rule in labs/README.md.

`.venv/bin/python tests/times.py [NN …]` prints the range for each lesson, with the lines of each step.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lab.course.exercise import Exercise, Piece, exercises

REPO = Path(__file__).resolve().parents[1]
WORDS_A_MINUTE = 150
MINUTES_A_LINE = 2.5
MINUTES_A_STEP = 2
SPREAD = 1 / 6


def lines(lab: Exercise) -> Counter[int]:
    """Lines of the reference solution by step; blank lines, comments and docstrings do not count."""
    found: Counter[int] = Counter()
    for piece in lab.pieces:
        for name, count in _lines(piece):
            if step := piece.left_out.get(name):
                found[step] += count
    return found


def minutes(lab: Exercise) -> float:
    """The middle of the range."""
    words = sum(len(text.read_text(encoding="utf-8").split()) for text in texts(lab)[:2])
    written = sum(lines(lab).values())
    return words / WORDS_A_MINUTE + MINUTES_A_LINE * written + MINUTES_A_STEP * len(lab.steps)


def span(middle: float) -> tuple[int, int]:
    """The range around a middle, rounded to five minutes."""
    return 5 * round(middle * (1 - SPREAD) / 5), 5 * round(middle * (1 + SPREAD) / 5)


def texts(lab: Exercise) -> tuple[Path, Path, Path]:
    """The notebook's text, the lab's page and the instructor's page; each shows the range."""
    notebook = REPO / "notebooks" / "text" / f"{lab.folder.name}.md"
    return notebook, lab.folder / "README.md", lab.folder / "instructor.md"


def _lines(piece: Piece) -> Iterator[tuple[str, int]]:
    """Each function, method and constant of a module with its number of lines."""
    source = piece.source.read_text(encoding="utf-8")
    # "--" begins a comment in the scripts in Lua.
    lines = [line.strip() for line in source.splitlines()]
    written = [bool(line) and not line.startswith(("#", "--")) for line in lines]

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, int]]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = node.body[ast.get_docstring(node) is not None :]
                yield (
                    prefix + node.name,
                    sum(written[inside[0].lineno - 1 : node.end_lineno]) if inside else 0,
                )
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        yield prefix + target.id, sum(written[node.lineno - 1 : node.end_lineno])

    yield from walk(ast.parse(source).body, "")


if __name__ == "__main__":
    for lab in exercises():
        if lab.number in sys.argv[1:] or not sys.argv[1:]:
            least, most = span(minutes(lab))
            steps = ", ".join(f"step {step}: {count}" for step, count in sorted(lines(lab).items()))
            print(f"{lab.number}: {least} to {most} minutes; minutes = {round(minutes(lab))}; lines: {steps}")
