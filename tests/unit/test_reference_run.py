"""The run that makes the reference copies: one failure neither stops it nor changes an old copy."""

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from lab.errors import LabError
from lab.home import Home
from lab.notebook import reference, reference_run, stack
from lab.notebook.reference_run import SECONDS, make
from lab.notebook.texts import CHECKED, reference_cells, texts


def executed(text: Path) -> Any:
    """The notebook as a run of the reference leaves it."""
    made = reference_cells(text)
    for count, cell in enumerate((cell for cell in made.cells if cell.cell_type == "code"), 1):
        cell["execution_count"] = count
        said = "'PASS: 1 of 1 checks'" if cell.source == "print(verdict)" else "said"
        if CHECKED in cell.metadata.get("tags", []) or cell.source == "print(verdict)":
            cell["outputs"] = [nbformat.v4.new_output("stream", text=said)]  # type: ignore[no-untyped-call]
    return made


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A running system, a folder for the copies, and runs that end as `failing` says."""
    made = SimpleNamespace(folder=tmp_path, failing={}, recovered=[], running=True, options=())

    def run(text: Path) -> Any:
        if text.stem[:2] in made.failing:
            raise made.failing[text.stem[:2]]
        return executed(text)

    monkeypatch.setattr(reference_run, "run", run)
    monkeypatch.setattr(reference_run, "reference_of", lambda text: tmp_path / f"{text.stem}.ipynb")
    monkeypatch.setattr(reference_run, "_recover", lambda: made.recovered.append(True))
    monkeypatch.setattr(reference, "instead", lambda *given, **named: nullcontext())
    monkeypatch.setattr(
        stack, "backend", SimpleNamespace(running=lambda: made.running, options=lambda: made.options)
    )
    monkeypatch.setattr(stack, "home", Home(tmp_path))
    return made


def test_the_others_are_written_and_all_failures_are_listed(
    world: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    old = world.folder / "02-discovery.ipynb"
    old.write_text("an old copy")
    world.failing = {
        "02": CellTimeoutError("too slow"),
        "05": DeadKernelError("died"),
        "07": OSError("no disk"),
    }
    with pytest.raises(LabError) as failed:
        make([])
    said = str(failed.value)
    assert "3 of 9 notebooks failed: 02-discovery, 05-databases, 07-feeds" in said
    assert "too slow" in said
    assert "lab.notebook.sources 02 05 07" in said
    assert old.read_text() == "an old copy"
    written = {file.stem for file in world.folder.glob("*.ipynb")} - {"02-discovery"}
    assert len(written) == 6
    assert len(world.recovered) == 3
    assert "9 notebooks, about " in capsys.readouterr().out


def test_a_notebook_whose_option_is_missing_is_left_out(
    world: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    make([])
    assert not (world.folder / "09-observability.ipynb").exists()
    assert "09-observability is left out. Lab 09 needs the option observability" in capsys.readouterr().out
    with pytest.raises(LabError, match="Lab 09 needs the option observability"):
        make(["09"])
    world.options = ("observability",)
    make(["09"])
    assert (world.folder / "09-observability.ipynb").exists()


def test_what_is_flawed_is_not_written(world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_run, "run", reference_cells)  # no cell was run
    with pytest.raises(LabError, match="was not run"):
        make(["00"])
    assert not list(world.folder.glob("*.ipynb"))


def test_the_next_estimate_comes_from_this_run(world: SimpleNamespace) -> None:
    make(["00", "01"])
    assert [*json.loads((world.folder / SECONDS).read_text())] == [text.stem for text in texts()[:2]]


def test_what_cannot_run_is_refused_first(world: SimpleNamespace) -> None:
    with pytest.raises(LabError, match="no notebook 12"):
        make(["00", "12"])
    world.running = False
    with pytest.raises(LabError, match="not running"):
        make([])
