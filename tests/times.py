"""How long a lesson takes by the rule in labs/README.md.

`.venv/bin/python -P tests/times.py [NN …]` prints the range for each lesson, with the minutes and the lines
of each step; `--write` also puts the ranges and the minutes of each step into the pages.
The constants were fitted to 29 steps of labs 01 to 06 that readers worked through with a watch.
"""

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.course.exercise import Exercise, Piece, exercises

REPO = Path(__file__).resolve().parents[1]
WORDS_A_MINUTE = 60
"""Reading, running the cells and looking at what they show."""
MINUTES_A_LINE = 2
MINUTES_A_CONTINUATION = 1
"""A line that goes on with a call or a list begun above it needs less thought."""
MINUTES_A_STEP = 1
SPREAD = 1 / 6
ROUNDED = 5
BY_HAND: dict[str, dict[int, int]] = {"09": {6: 10}}
"""Lines of the reference that nobody has to write: one line can name the fault that a learner has found. The
minutes stay those of the whole reference, because searching by hand takes as long."""
HEADING = re.compile(r"^(##+) Step (\d+)\b.*$", re.MULTILINE)
RANGE = re.compile(r"(\d+) to (\d+) minutes")
SHOWN = re.compile(r"\n\n\*About (\d+) minutes\.\*")


def lines(lab: Exercise) -> Counter[int]:
    """Lines to write by step, those of the reference; blank lines, comments and docstrings do not count."""
    return _by_step(lab, lambda line: 1) - Counter(BY_HAND.get(lab.number, {}))


def writing(lab: Exercise) -> Counter[int]:
    """Minutes to write the lines of each step."""
    return _by_step(lab, lambda begins: MINUTES_A_LINE if begins else MINUTES_A_CONTINUATION)


def _by_step(lab: Exercise, weight: Callable[[bool], int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for piece in lab.pieces:
        for name, begins in _lines(piece):
            if step := piece.left_out.get(name):
                found[step] += sum(map(weight, begins))
    return found


def minutes(lab: Exercise) -> float:
    """The middle of the range."""
    words = sum(len(text.read_text(encoding="utf-8").split()) for text in texts(lab)[:2])
    return words / WORDS_A_MINUTE + sum(writing(lab).values()) + MINUTES_A_STEP * len(lab.steps)


def minutes_of_steps(lab: Exercise) -> dict[int, float]:
    """Minutes for each step: to read its section of the lab's page, to write its lines, and to check it."""
    page = texts(lab)[1].read_text(encoding="utf-8")
    found = {}
    for heading in HEADING.finditer(page):
        words = len(page[heading.start() : _end_of_section(page, heading)].split())
        step = int(heading[2])
        found[step] = words / WORDS_A_MINUTE + writing(lab)[step] + MINUTES_A_STEP
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


def _lines(piece: Piece) -> Iterator[tuple[str, list[bool]]]:
    """Each function, method and constant of a module, and for each line whether it begins a statement."""
    source = piece.source.read_text(encoding="utf-8")
    begins = _beginnings(source)
    # "--" begins a comment in the scripts in Lua.
    lines = [line.strip() for line in source.splitlines()]
    written = [bool(line) and not line.startswith(("#", "--")) for line in lines]

    def among(first: int, last: int) -> list[bool]:
        return [number in begins for number in range(first, last + 1) if written[number - 1]]

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, list[bool]]]:
        for node in body:
            last = node.end_lineno or node.lineno
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = node.body[ast.get_docstring(node) is not None :]
                yield prefix + node.name, among(inside[0].lineno, last) if inside else []
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        yield prefix + target.id, among(node.lineno, last)

    yield from walk(ast.parse(source).body, "")


def _beginnings(source: str) -> set[int]:
    """The lines on which a statement begins. Each line of a long string, such as a script in Lua, counts."""
    found: set[int] = set()
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING and token.start[0] != token.end[0]:
            found.update(range(token.start[0], token.end[0] + 1))
        if token.type == tokenize.NEWLINE:
            fresh = True
        elif token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT) and fresh:
            found.add(token.start[0])
            fresh = False
    return found


def write_range(lab: Exercise) -> None:
    """Put the range into the notebook's text, the lab's page and the instructor's page."""
    least, most = span(minutes(lab))
    for text in texts(lab):
        before = text.read_text(encoding="utf-8")
        text.write_text(RANGE.sub(f"{least} to {most} minutes", before, count=1), encoding="utf-8")
    settings = lab.folder / "exercise.toml"
    before = settings.read_text(encoding="utf-8")
    line = f"minutes = {round(minutes(lab))}"
    settings.write_text(
        re.sub(r"^minutes = \d+", line, before, count=1, flags=re.MULTILINE), encoding="utf-8"
    )


if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if word.isdigit()]
    for lab in exercises():
        if lab.number in chosen or not chosen:
            if "--write" in sys.argv:
                write_steps(lab)
                write_range(lab)
            least, most = span(minutes(lab))
            print(
                f"{lab.number}: {least} to {most} minutes; minutes = {round(minutes(lab))} in exercise.toml"
            )
            for step, exact in minutes_of_steps(lab).items():
                print(
                    f"    step {step}: about {rounded(exact)} minutes ({exact:.1f}), {lines(lab)[step]} lines"
                )
