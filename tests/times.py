"""How long a lesson takes by the rule in labs/README.md.

`.venv/bin/python -P tests/times.py [NN …]` prints the range for each lesson, with the minutes and the lines
of each step; `--write` also puts the minutes of each step into the labs' pages.
"""

import ast
import re
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
ROUNDED = 5
HEADING = re.compile(r"^(##+) Step (\d+)\b.*$", re.MULTILINE)
SHOWN = re.compile(r"\n\n\*About (\d+) minutes\.\*")


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


def minutes_of_steps(lab: Exercise) -> dict[int, float]:
    """Minutes for each step: to read its section of the lab's page, to write its lines, and to check it."""
    page = texts(lab)[1].read_text(encoding="utf-8")
    found = {}
    for heading in HEADING.finditer(page):
        words = len(page[heading.start() : _end_of_section(page, heading)].split())
        step = int(heading[2])
        found[step] = words / WORDS_A_MINUTE + MINUTES_A_LINE * lines(lab)[step] + MINUTES_A_STEP
    return found


def shown_of_steps(lab: Exercise) -> dict[int, int | None]:
    """The minutes that the lab's page shows under each step's heading; None where it shows none."""
    page = texts(lab)[1].read_text(encoding="utf-8")
    found = {int(heading[2]): SHOWN.match(page, heading.end()) for heading in HEADING.finditer(page)}
    return {step: int(shown[1]) if shown else None for step, shown in found.items()}


def write_steps(lab: Exercise) -> None:
    """Put the minutes of each step under its heading in the lab's page."""
    page = texts(lab)[1]
    wanted = minutes_of_steps(lab)

    def dated(found: re.Match[str]) -> str:
        return f"{found['heading']}\n\n*About {rounded(wanted[int(found['step'])])} minutes.*"

    heading = rf"(?P<heading>^##+ Step (?P<step>\d+)\b.*$)(?:{SHOWN.pattern})?"
    page.write_text(
        re.sub(heading, dated, page.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8"
    )


def rounded(exact: float) -> int:
    """The minutes of a step as a page shows them: rounded to five, and at least five."""
    return max(ROUNDED, ROUNDED * round(exact / ROUNDED))


def span(middle: float) -> tuple[int, int]:
    """The range around a middle, rounded to five minutes."""
    least, most = middle * (1 - SPREAD), middle * (1 + SPREAD)
    return ROUNDED * round(least / ROUNDED), ROUNDED * round(most / ROUNDED)


def texts(lab: Exercise) -> tuple[Path, Path, Path]:
    """The notebook's text, the lab's page and the instructor's page; each shows the range."""
    notebook = REPO / "notebooks" / "text" / f"{lab.folder.name}.md"
    return notebook, lab.folder / "README.md", lab.folder / "instructor.md"


def _end_of_section(page: str, heading: re.Match[str]) -> int:
    """Where the next heading of the same level, or of a higher one, begins."""
    after = re.compile(rf"^#{{1,{len(heading[1])}}} ", re.MULTILINE).search(page, heading.end())
    return after.start() if after else len(page)


def _lines(piece: Piece) -> Iterator[tuple[str, int]]:
    """Each function, method and constant of a module with its number of lines."""
    source = piece.source.read_text(encoding="utf-8")
    written = [bool(line.strip()) and not line.strip().startswith("#") for line in source.splitlines()]

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
    chosen = [word for word in sys.argv[1:] if word.isdigit()]
    for lab in exercises():
        if lab.number in chosen or not chosen:
            if "--write" in sys.argv:
                write_steps(lab)
            least, most = span(minutes(lab))
            print(
                f"{lab.number}: {least} to {most} minutes; minutes = {round(minutes(lab))} in exercise.toml"
            )
            for step, exact in minutes_of_steps(lab).items():
                print(
                    f"    step {step}: about {rounded(exact)} minutes ({exact:.1f}), {lines(lab)[step]} lines"
                )
