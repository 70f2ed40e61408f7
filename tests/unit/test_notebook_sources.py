"""The committed notebooks are what their texts say, with true outputs."""

from pathlib import Path

import nbformat
import pytest

from lab.course.exercise import exercises
from lab.home import REPO
from lab.notebook.sources import CHECKED, FOLDER, cells, flaws, notebook_of, texts

LONGEST_CELL = 16
ALL = texts()


def test_a_tour_and_one_notebook_for_each_lab() -> None:
    names = ["00-tour", *(lab.folder.name for lab in exercises())]
    assert [text.stem for text in ALL] == names
    assert sorted(file.stem for file in FOLDER.glob("*.ipynb")) == names


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_in_step_and_executed(text: Path) -> None:
    stored = nbformat.read(notebook_of(text), as_version=4)  # type: ignore[no-untyped-call]
    wanted = cells(text)
    again = f"make it anew on the running system: .venv/bin/python -m lab.notebook.sources {text.stem[:2]}"

    def said(notebook: object) -> list[object]:
        return [(c.cell_type, c.id, c.source, c.metadata) for c in notebook.cells]  # type: ignore[attr-defined]

    assert said(stored) == said(wanted), again
    assert flaws(stored) == [], again


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_shape(text: Path) -> None:
    made = cells(text)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert max(len(cell.source.splitlines()) for cell in code) <= LONGEST_CELL
    assert code[0].source == "from lab.notebook import *\n\nsystem.ready()"
    assert any(CHECKED in cell.metadata.get("tags", []) for cell in code[1:])
    words = text.read_text(encoding="utf-8")
    for heading in ("## Predict", "## Break it on purpose", "## Reflect"):
        assert f"\n{heading}" in words
    assert words.count("<details>") == words.count("</details>") == 3
    for line in words.splitlines():
        assert not line.startswith("###"), "headings go down one step at a time"


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_links_lead_somewhere(text: Path) -> None:
    import re

    for target in re.findall(r"\]\(([^)]+)\)", text.read_text(encoding="utf-8")):
        assert (FOLDER / target).resolve().is_relative_to(REPO)
        assert (FOLDER / target).exists(), target


def test_flaws_are_found() -> None:
    made = cells(ALL[0])
    found = "\n".join(flaws(made))
    assert "was not run" in found
    assert "no output to compare with" in found
