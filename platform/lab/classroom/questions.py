"""The questions of all predictions in the notebooks, with their choices."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.home import REPO

TEXTS = REPO / "notebooks" / "text"
CELL = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Question:
    """One question: the number of its lesson, such as "02", its text, and its choices by letter."""

    lesson: str
    text: str
    choices: dict[str, str]


@cache
def questions(texts: Path = TEXTS) -> dict[str, Question]:
    """Return all questions by their text, in the order of the course."""
    found = {}
    for file in sorted(texts.glob("[0-9][0-9]-*.md")):
        for cell in CELL.findall(file.read_text(encoding="utf-8")):
            for asked in _in_cell(file.name[:2], cell):
                found[asked.text] = asked
    return found


def _in_cell(lesson: str, cell: str) -> list[Question]:
    if "predict(" not in cell or re.search(r"^\s*%", cell, re.MULTILINE):
        return []
    calls = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Call)]
    asked = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "predict"]
    return [Question(lesson, _text(call.args[0]), _choices(call)) for call in asked if call.args]


def _choices(call: ast.Call) -> dict[str, str]:
    return {word.arg: _text(word.value) for word in call.keywords if word.arg and word.arg != "mine"}


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
