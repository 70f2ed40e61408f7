"""All notebooks on the running system: every cell runs, and checked outputs are the same as stored."""

import re
from contextlib import nullcontext
from pathlib import Path

import nbformat
import pytest
from nbval_runs import Run, nbval
from support import backend, home

from lab.course.exercise import exercises
from lab.course.options import lacking
from lab.deadlines import slow
from lab.notebook.reference import instead
from lab.notebook.texts import reference_of, texts

LONGEST_SECONDS = {"09": 240}
"""Lab 09 waits for collectors, which ask every 5 s, and for windows of half a minute."""
USUAL_SECONDS = 60
LABS = {lab.number: lab for lab in exercises()}
TEXTS = texts()
WITH_LAB = [text for text in TEXTS if text.stem[:2] in LABS]


def code_cells(text: Path) -> list[str]:
    """Return the sources of the code cells, as nbval counts them from 0."""
    read = nbformat.read(reference_of(text), as_version=4)  # type: ignore[no-untyped-call]
    return [cell.source for cell in read.cells if cell.cell_type == "code"]


def played(text: Path, *, solved: bool) -> Run:
    lab = LABS.get(text.stem[:2])
    if lab and (why := lacking(backend, lab)):
        pytest.skip(why)
    with instead(home, backend, lab, solved=solved) if lab else nullcontext():
        return nbval(reference_of(text))


@pytest.mark.parametrize(
    "text",
    # All together take longer than the rest of ./lab test has left: one a day, all in the campaign.
    [pytest.param(t, marks=[] if t.stem == "00-tour" else [pytest.mark.campaign], id=t.stem) for t in TEXTS],
)
def test_notebook(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = played(text, solved=True)
    with capsys.disabled():
        print(f" {text.stem}: {run.passed} cells in {run.seconds:.1f} s ", end="")
    assert run.code == 0, run.words
    assert run.passed == len(code_cells(text)), run.words
    longest = LONGEST_SECONDS.get(text.stem[:2], USUAL_SECONDS) * slow()
    assert run.seconds <= longest, f"{text.stem} took {run.seconds:.0f} s"


@pytest.mark.campaign
@pytest.mark.parametrize("text", WITH_LAB, ids=lambda text: text.stem)
def test_starter_fails_where_it_is_checked(text: Path) -> None:
    run = played(text, solved=False)
    assert run.failed == [code_cells(text).index("print(verdict)")], run.words
    assert run.passed == len(code_cells(text)) - 1, run.words
    # The reason must be the unwritten step, not a server that is down or an outdated notebook.
    why = rf"(NOT ATTEMPTED|FAIL): .*Not written yet: Lab {text.stem[:2]}, step \d+: write \w+"
    assert re.search(why, run.words), run.words
