"""The course as web pages: links lead to pages, nothing comes from outside, and only a site is replaced."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from lab.errors import LabError
from lab.home import REPO
from lab.notebook.texts import reference_cells
from lab.site import style
from lab.site.build import build
from lab.site.links import missing

LESSON = """# 00 · A small lesson

*5 minutes. You add.*

Read the [term](../docs/glossary.md#at-least-once), write [your file](../labs/01-small/code.py), see
[the next](01-next.ipynb), [a secret](../.env), [nothing](../docs/none.md) and [the web](https://example.org/).

```python tags=["nbval-check-output"]
print(40 + 2)
```
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A small course with one executed lesson, and one that was not run."""
    made = tmp_path / "course"
    files = {
        "notebooks/text/00-small.md": LESSON,
        "notebooks/text/01-next.md": "# 01 · The next\n\nText.\n",
        "docs/glossary.md": "# Glossary\n\n### At least once\n\nTwice, perhaps. ![A box](box.svg)\n",
        "docs/box.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
        "docs/concepts/README.md": "# Concepts\n\n[All](../decisions)\n",
        "docs/decisions/0001-one.md": "---\nmarp: true\n---\n# One decision\n\n---\n\nMore.\n",
        "labs/01-small/README.md": "# Lab 01\n\n```python\nx = 1\n```\n",
        "labs/01-small/code.py": "def add() -> int:\n    return 42\n",
        ".env": "PASSWORD=secret",
    }
    for name, text in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    notebook: Any = reference_cells(made / "notebooks" / "text" / "00-small.md")
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code["execution_count"] = 1
    code["outputs"] = [nbformat.v4.new_output("stream", text="42\n")]  # type: ignore[no-untyped-call]
    (made / "notebooks" / "reference").mkdir()
    nbformat.write(notebook, made / "notebooks" / "reference" / "00-small.ipynb")  # type: ignore[no-untyped-call]
    return made


def test_a_small_course_becomes_pages_that_link_to_each_other(repo: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    remarks = build(site, repo)
    assert [remark.partition(":")[0] for remark in remarks] == ["01-next is shown without outputs"]
    lesson = (site / "notebooks" / "00-small.html").read_text()
    assert "42\n" in lesson.replace("<span></span>", "")
    for address in ("../docs/glossary.html#at-least-once", "../labs/01-small/code.py.html", "01-next.html"):
        assert f'href="{address}"' in lesson
    assert 'href="https://example.org/"' in lesson
    assert 'id="at-least-once"' in (site / "docs" / "glossary.html").read_text()
    assert (site / "docs" / "box.svg").exists()
    assert "42" in (site / "labs" / "01-small" / "code.py.html").read_text()
    assert "One decision" in (site / "docs" / "decisions" / "index.html").read_text()
    decision = (site / "docs" / "decisions" / "0001-one.html").read_text()
    assert "marp" not in decision
    assert "More." in decision
    assert not [file for file in site.rglob("*") if ".env" in file.name]
    index = (site / "index.html").read_text()
    assert "5 minutes. You add." in index
    assert index.index("A small lesson") < index.index("The next") < index.index("Lab 01")
    assert missing(sorted(site.rglob("*.html"))) == []


def test_what_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<a href="none.html">a</a><a href="page.html#none">b</a><img src="https://example.org/x.png">'
    )
    found = "\n".join(missing([page]))
    assert "none.html does not exist" in found
    assert "page.html#none has no such heading" in found
    assert "x.png is loaded from outside" in found


def test_the_style_needs_nothing_from_outside_and_has_two_looks() -> None:
    sheet = style.sheet()
    assert "prefers-color-scheme: dark" in sheet
    assert "url(" not in sheet
    assert "@import" not in sheet


def test_a_folder_that_is_not_a_site_is_left_alone(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match="did not make it"):
        build(tmp_path / "mine", repo)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    build(tmp_path / "site", repo)
    build(tmp_path / "site", repo)  # a site is replaced
    assert not (tmp_path / "site.new").exists()


def test_the_whole_course_has_no_broken_link(tmp_path: Path) -> None:
    build(tmp_path / "site", REPO)
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 40
    assert missing(pages) == []
