"""Notebooks as text: what is reviewed is `notebooks/text/NN-name.md`; the .ipynb is made from it.

    python -m lab.notebook.sources          # run all on the live system and keep their outputs
    python -m lab.notebook.sources 00 07    # only these

The text is jupytext's Markdown: prose as it stands, code in fenced blocks, tags after the fence.
"""

import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from lab.course.exercise import exercises
from lab.errors import LabError
from lab.home import REPO
from lab.jupyter.kernel import NAME, TITLE, ensure_kernel
from lab.probes.readiness import slow

FOLDER = REPO / "notebooks"
TEXTS = FOLDER / "text"
CHECKED = "nbval-check-output"
CELL_SECONDS = 120


def texts() -> list[Path]:
    """The sources, in the order of the course."""
    return sorted(TEXTS.glob("[0-9][0-9]-*.md"))


def notebook_of(text: Path) -> Path:
    """The notebook that is made from a source."""
    return FOLDER / f"{text.stem}.ipynb"


def cells(text: Path) -> Any:
    """A notebook without outputs, with ids and metadata that do not vary."""
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


def run(text: Path) -> Any:
    """The notebook with true outputs. Raises nbclient's CellExecutionError."""
    ensure_kernel()
    made = cells(text)
    NotebookClient(
        made, timeout=int(CELL_SECONDS * slow()), kernel_name=NAME, coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}}, record_timing=False,
    ).execute()  # fmt: skip
    for cell in made.cells:
        for output in cell.get("outputs", []):
            output.pop("metadata", None) if output.get("output_type") == "stream" else None
    made["metadata"]["language_info"] = {"name": "python"}
    return made


def flaws(notebook: Any) -> list[str]:
    """What must not be committed: cells that were not run, checked ones without output, errors, paths."""
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


def main(numbers: list[str]) -> None:
    """Run the notebooks named by number, or all, and write those that are sound. Raises LabError."""
    from lab.notebook.reference import instead
    from lab.notebook.stack import backend, home

    if not backend.running():
        raise LabError("The system is not running: ./lab up")
    labs = {lab.number: lab for lab in exercises()}
    failed = []
    for text in texts():
        number = text.stem[:2]
        if numbers and number not in numbers:
            continue
        lab = labs.get(number)
        try:
            with instead(home, backend, lab, solved=True) if lab else nullcontext():
                made = run(text)
            wrong = flaws(made)
        except CellExecutionError as error:
            wrong = [str(error)]
        if wrong:
            failed.append(f"{text.name}: {'; '.join(wrong)}")
            print(f"{notebook_of(text).name} stays as it was", flush=True)
            continue
        nbformat.write(made, notebook_of(text))  # type: ignore[no-untyped-call]
        print(f"{notebook_of(text).name} written", flush=True)
    if failed:
        raise LabError("\n".join(failed))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabError as error:
        sys.exit(str(error))
