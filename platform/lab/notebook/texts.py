"""The texts of the notebooks, `notebooks/text/NN-name.md`, and the cells that are made from them.

Authors edit and review these texts. `python -m lab.notebook.sources` runs them and writes the reference
copies. The learner's copy (`lab.notebook.copies`) has the same cells and no outputs. The text is jupytext's
Markdown: plain prose, code in fenced blocks, tags after the fence.
"""

import re
from pathlib import Path
from typing import Any

import jupytext

from lab.home import REPO
from lab.jupyter.kernel import NAME, TITLE

FOLDER = REPO / "notebooks"
TEXTS = FOLDER / "text"
REFERENCE = FOLDER / "reference"
CHECKED = "nbval-check-output"
CELL_SECONDS = 120


def texts() -> list[Path]:
    """Return the sources, in the order of the course."""
    return sorted(TEXTS.glob("[0-9][0-9]-*.md"))


def notebook_of(text: Path) -> Path:
    """Return the path of the learner's copy of a source. Git ignores it."""
    return FOLDER / f"{text.stem}.ipynb"


def reference_of(text: Path) -> Path:
    """Return the path of the executed copy of a source, which has the reference system's outputs."""
    return REFERENCE / f"{text.stem}.ipynb"


def cells(text: Path) -> Any:
    """Return a notebook without outputs, with ids and metadata that do not vary."""
    made = jupytext.reads(text.read_text(encoding="utf-8"), fmt="md")
    for number, cell in enumerate(made.cells):
        cell["id"] = f"{text.stem[:2]}-{number:02}"
        cell["metadata"] = {"tags": cell["metadata"]["tags"]} if cell["metadata"].get("tags") else {}
    made["metadata"] = {
        "kernelspec": {"name": NAME, "display_name": TITLE, "language": "python"},
        "language_info": {"name": "python"},
    }
    made["nbformat"], made["nbformat_minor"] = 4, 5
    return made


def reference_cells(text: Path) -> Any:
    """Return the cells of the reference copy: its links leave a folder that is one level deeper."""
    made = cells(text)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell["source"] = re.sub(r'(\]\(|(?:src|href)=")\.\./', r"\1../../", cell["source"])
    return made


def flaws(notebook: Any) -> list[str]:
    """Return flaws of a reference copy: cells not run, checked cells without output, errors, paths."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        where = f"cell {cell['id']}"
        outputs = cell.get("outputs", [])
        if not cell.execution_count:
            found.append(f"{where} was not run")
        if CHECKED in cell.metadata.get("tags", []) and not outputs:
            found.append(f"{where} is to be checked and has no output to compare with")
        if any(output["output_type"] == "error" for output in outputs):
            found.append(f"{where} ended with an error")
        if cell.source == "print(verdict)" and not str(outputs).count("'PASS: "):
            found.append(f"{where} shows that the solution did not pass")
        if any(word in str(outputs) for word in (str(REPO), str(Path.home()) + "/")):
            found.append(f"{where} shows a path of one machine only")
        if re.search(r"#\s*NBVAL", cell.source):
            found.append(f"{where}: use a tag instead of a comment")
    return found
