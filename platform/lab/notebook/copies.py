"""Make the learner's copies `notebooks/NN-name.ipynb` from the texts, without outputs. Git ignores them.

A missing copy is made. A copy without a learner's outputs or changes is made again when its text changes.
One with outputs or changes stays until the learner asks for a fresh one. The reasons: docs/decisions/0028.
"""

import ast
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import nbformat

from lab.course.running import keep_copy
from lab.errors import LabError
from lab.home import Home
from lab.notebook.texts import cells, notebook_of, texts

MADE_FROM = "civildiy_lab"
"""Key of the metadata with the fingerprint of the cells from which a copy was made."""


def provide() -> list[str]:
    """Make missing copies, update unused ones, and return messages for the learner."""
    remarks = []
    for text in texts():
        file = notebook_of(text)
        if not file.exists():
            write(text)
            continue
        stored = _read(file)
        if stored is not None and _made_from(stored) == _fingerprint(cells(text)):
            continue
        if stored is not None and _untouched(stored):
            write(text)
            continue
        remarks.append(
            f"notebooks/{file.name} keeps your work, and the lesson's text has changed since you opened it."
            f" For the new text: ./lab reset {text.stem[:2]} --notebook"
        )
    return remarks


def renew(home: Home, number: str) -> Path | None:
    """Replace a learner's copy by a fresh one; return where the old one is kept. Raises LabError."""
    text = text_of(number)
    file = notebook_of(text)
    kept = keep_copy(home, file) if file.exists() else None
    write(text)
    return kept


def text_of(number: str) -> Path:
    """Return the source of a notebook by its number. Raises LabError for an unknown number."""
    for text in texts():
        if number.isdigit() and int(text.stem[:2]) == int(number):
            return text
    known = ", ".join(text.stem[:2] for text in texts())
    raise LabError(f"There is no notebook {number}. The notebooks are {known}.")


def questions(text: Path) -> list[str]:
    """Return the questions of all predictions in a notebook."""
    code = [cell.source for cell in cells(text).cells if cell.cell_type == "code" and "%" not in cell.source]
    nodes = [node for source in code for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    asked = [node.args[0] for node in nodes if isinstance(node.func, ast.Name) and node.func.id == "predict"]
    return [str(question.value) for question in asked if isinstance(question, ast.Constant)]


def write(text: Path) -> None:
    """Write a fresh copy."""
    made = cells(text)
    made["metadata"][MADE_FROM] = {"made_from": _fingerprint(made)}
    file = notebook_of(text)
    new = file.with_suffix(".new")
    nbformat.write(made, new)  # type: ignore[no-untyped-call]
    owner = file.parent.stat()
    if os.geteuid() == 0 != owner.st_uid:  # with sudo; JupyterLab runs as the folder's owner and must save it
        os.chown(new, owner.st_uid, owner.st_gid)
    new.replace(file)


def _read(file: Path) -> Any | None:
    """Return the stored notebook; None for a file that is no notebook, which is kept like any other work."""
    try:
        return nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, nbformat.reader.NotJSONError):
        return None


def _made_from(notebook: Any) -> str:
    return str(notebook.metadata.get(MADE_FROM, {}).get("made_from", ""))


def _untouched(notebook: Any) -> bool:
    """Tell whether a copy has no outputs, and the same cells as when it was made."""
    if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
        return False
    return _made_from(notebook) == _fingerprint(notebook)


def _fingerprint(notebook: Any) -> str:
    contents = [(cell.cell_type, cell.source) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
