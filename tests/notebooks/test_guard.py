"""Tests of nbval_guard: it catches what nbval alone would let pass."""

from pathlib import Path

import nbformat
import pytest
from nbval_runs import nbval

from lab.jupyter.kernel import NAME
from lab.notebook.texts import CHECKED

Cell = tuple[str, list[str], str | None]
GOOD: Cell = ("print(6 * 7)", [CHECKED], "42\n")
BAD: dict[str, Cell] = {
    "an output that differs": ("print(41)", [CHECKED], "42\n"),
    "a checked cell without output": ("print(42)", [CHECKED], None),
    "an error that does not come": ("print(42)", ["raises-exception"], None),
    "a magic that does not exist": ("%no_such_magic", [], None),
    "an error that nobody prints": (
        "get_ipython().showtraceback = lambda *a, **k: None\n1 / 0", [], None,
    ),
}  # fmt: skip


def written(cells: list[Cell], folder: Path) -> Path:
    made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": NAME, "display_name": NAME, "language": "python"}}
    )
    for source, tags, output in cells:
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})  # type: ignore[no-untyped-call]
        cell.execution_count = 1
        if output:
            cell.outputs = [nbformat.v4.new_output("stream", text=output)]  # type: ignore[no-untyped-call]
        made.cells.append(cell)
    nbformat.write(made, folder / "case.ipynb")  # type: ignore[no-untyped-call]
    return folder / "case.ipynb"


@pytest.mark.thorough
def test_what_nbval_lets_pass_is_caught(tmp_path: Path) -> None:
    run = nbval(written([GOOD, *BAD.values()], tmp_path))
    caught = {name: number in run.failed for number, name in enumerate(BAD, 1)}
    assert (run.code, run.passed, caught) == (1, 1, dict.fromkeys(BAD, True)), run.words
