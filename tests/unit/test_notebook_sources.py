"""Reference and learner's copy of a notebook come from one text; only the reference has outputs."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from documents import LINK, broken_links, glossary, slug, without_code

from lab.course.exercise import exercises
from lab.home import REPO
from lab.notebook.texts import (
    CHECKED,
    REFERENCE,
    cells,
    flaws,
    notebook_of,
    reference_cells,
    reference_of,
    texts,
)

LONGEST_CELL = 16
ALL = texts()


def test_a_tour_and_one_notebook_for_each_lab() -> None:
    names = ["00-tour", *(lab.folder.name for lab in exercises())]
    assert [text.stem for text in ALL] == names
    assert sorted(file.stem for file in REFERENCE.glob("*.ipynb")) == names


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_in_step_and_executed(text: Path) -> None:
    stored = nbformat.read(reference_of(text), as_version=4)  # type: ignore[no-untyped-call]
    wanted = reference_cells(text)
    again = f"make it again on the running system: .venv/bin/python -m lab.notebook.sources {text.stem[:2]}"

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
def test_length(text: Path) -> None:
    """One evening's reading: about 1,200 to 2,000 words beside code and drawings."""
    prose = "\n".join(cell.source for cell in cells(text).cells if cell.cell_type == "markdown")
    prose = re.sub(r"^```.*?^```|^ {4}.*?$|<[^>]+>|\]\([^)]*\)", " ", prose, flags=re.DOTALL | re.MULTILINE)
    assert 1200 <= len(prose.split()) <= 2100


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_links_lead_somewhere(text: Path) -> None:
    # The notebook lies one folder above its text, and the links are the notebook's.
    assert list(broken_links(text, REPO, beside=notebook_of(text))) == []


EVERYDAY = {
    "check", "claim", "command", "counter", "counters", "document", "entry", "fault", "hash", "hint", "key",
    "lab", "label", "log", "member", "membership", "plan", "prediction", "query", "record", "register",
    "removal", "seek", "session", "signal", "solution", "step", "version",
}  # fmt: skip
"""Terms that texts use as ordinary words as well, such as "her membership"."""


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_each_term_that_occurs_leads_to_the_glossary(text: Path) -> None:
    """At the first place where it matters; a title may name a term that the lesson explains further down."""
    source = text.read_text(encoding="utf-8")
    prose = re.sub(r"^#.*$|^ {4}.*$|`[^`]*`|\bJupyterLab\b", " ", without_code(source), flags=re.MULTILINE)
    prose = LINK.sub(" ", prose)
    known = [entry.term for entry in glossary((REPO / "docs/glossary.md").read_text(encoding="utf-8"))]
    missing = [
        name
        for name in known
        if name not in EVERYDAY
        and re.search(rf"(?<![\w/-]){re.escape(name)}s?(?![\w-])", prose)
        and f"glossary.md#{slug(name)})" not in source
    ]
    assert missing == []


def calls(text: Path, name: str) -> list[ast.Call]:
    """Return all calls of a function or method in a notebook's code."""
    code = [cell.source for cell in cells(text).cells if cell.cell_type == "code"]
    nodes = [node for source in code if "%" not in source for node in ast.walk(ast.parse(source))]
    found = [node for node in nodes if isinstance(node, ast.Call)]
    return [node for node in found if name in (getattr(node.func, key, "") for key in ("id", "attr"))]


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_what_happened_is_worked_out_and_not_written_down(text: Path) -> None:
    asked, compared = calls(text, "predict"), [c for c in calls(text, "compare") if c.keywords]
    assert len(asked) == len(compared) > 0
    for question, answer in zip(asked, compared, strict=True):
        letters = {one.arg for one in question.keywords} - {"mine"}
        assert {one.arg for one in answer.keywords} == letters | {"saw"}
        assert not answer.args
        for one in answer.keywords:
            looks = [node for node in ast.walk(one.value) if isinstance(node, ast.Name)]
            assert looks, f"{one.arg} does not depend on anything that was seen"


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_each_choice_is_explained_to_those_who_made_it(text: Path) -> None:
    asked, explained = calls(text, "predict"), calls(text, "because")
    choices = [{keyword.arg for keyword in question.keywords} - {"mine"} for question in asked]
    assert [{keyword.arg for keyword in answer.keywords} for answer in explained] == choices


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.stem)
def test_pictures_say_in_words_what_was_seen(text: Path) -> None:
    stored = nbformat.read(reference_of(text), as_version=4)  # type: ignore[no-untyped-call]
    shown = [output for cell in stored.cells for output in cell.get("outputs", []) if "data" in output]
    alts = re.findall(r'<img alt="([^"]*)"', "\n".join(str(output["data"]) for output in shown))
    assert alts
    for alt in alts:
        assert len(re.findall(r"\d", alt)) >= 3, f"no figures in the words of a picture: {alt}"


def test_flaws_are_found() -> None:
    made = cells(ALL[0])
    found = "\n".join(flaws(made))
    assert "was not run" in found
    assert "no output to compare with" in found
