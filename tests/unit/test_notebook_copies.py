"""What a learner opens: the text's cells without outputs, which stay the learner's own once worked on."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lab.commands.notebook import reset_notebook
from lab.errors import LabError
from lab.home import REPO, Home
from lab.notebook import copies, prediction
from lab.notebook.texts import cells, reference_cells, texts
from lab.terminal import Console

TEXT = texts()[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the copies are made instead of in the repository."""
    monkeypatch.setattr(copies, "notebook_of", lambda text: tmp_path / f"{text.stem}.ipynb")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the text of notebook 01 have one cell more."""

    def changed() -> None:
        def longer(text: Path) -> Any:
            made = cells(text)
            if text == TEXT:
                made.cells.append(nbformat.v4.new_markdown_cell("More."))  # type: ignore[no-untyped-call]
            return made

        monkeypatch.setattr(copies, "cells", longer)

    return changed


def read(file: Path) -> Any:
    return nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]


def work_on(file: Path) -> bytes:
    """Leave an output in a copy, as JupyterLab does when it saves."""
    stored = read(file)
    cell = next(cell for cell in stored.cells if cell.cell_type == "code")
    cell["execution_count"] = 1
    cell["outputs"] = [nbformat.v4.new_output("stream", text="mine\n")]  # type: ignore[no-untyped-call]
    nbformat.write(stored, file)  # type: ignore[no-untyped-call]
    return file.read_bytes()


def test_the_learners_copy_has_the_cells_of_the_text_and_no_outputs(folder: Path) -> None:
    assert copies.provide() == []
    assert sorted(file.stem for file in folder.glob("*.ipynb")) == [text.stem for text in texts()]
    for text in texts():
        made = read(folder / f"{text.stem}.ipynb")
        nbformat.validate(made)
        reference = reference_cells(text)
        assert [(c.cell_type, c.id) for c in made.cells] == [(c.cell_type, c.id) for c in reference.cells]
        for mine, theirs in zip(made.cells, reference.cells, strict=True):
            assert mine.source == theirs.source.replace("../../", "../")
            assert not mine.get("outputs")
            assert not mine.get("execution_count")


def test_work_is_kept_and_an_untouched_copy_follows_the_text(
    folder: Path, change: Callable[[], None]
) -> None:
    copies.provide()
    mine = work_on(folder / "00-tour.ipynb")
    change()
    assert copies.provide() == []  # 00 keeps its text; nobody has worked on 01
    assert read(folder / f"{TEXT.stem}.ipynb").cells[-1].source == "More."
    assert (folder / "00-tour.ipynb").read_bytes() == mine


def test_work_on_an_older_text_is_kept_and_mentioned(folder: Path, change: Callable[[], None]) -> None:
    copies.provide()
    mine = work_on(folder / f"{TEXT.stem}.ipynb")
    change()
    (remark,) = copies.provide()
    assert "./lab reset 01 --notebook" in remark
    assert (folder / f"{TEXT.stem}.ipynb").read_bytes() == mine


def test_what_is_no_notebook_is_kept(folder: Path) -> None:
    (folder / f"{TEXT.stem}.ipynb").write_text("half a file")
    (remark,) = copies.provide()
    assert "01-services.ipynb keeps your work" in remark
    assert (folder / f"{TEXT.stem}.ipynb").read_text() == "half a file"


def test_reset_gives_a_fresh_copy_and_keeps_the_old_one(folder: Path) -> None:
    home = Home(folder / "home")
    copies.provide()
    file = folder / f"{TEXT.stem}.ipynb"
    mine = work_on(file)
    question = copies.questions(TEXT)[0]
    for asked in (question, "Of another notebook?"):
        prediction.predict(asked, a="one", mine="a")
    reset_notebook(home, Console(), "1", yes=True)
    (kept,) = (home.root / "attempts" / folder.name).iterdir()
    assert kept.read_bytes() == mine
    assert not any(cell.get("outputs") for cell in read(file).cells)
    assert [*prediction.kept(home)] == ["Of another notebook?"]


def test_each_prediction_is_found_in_its_text() -> None:
    for text in texts():
        assert len(copies.questions(text)) == text.read_text(encoding="utf-8").count("guess = predict(")


def test_an_unknown_notebook_is_refused(folder: Path) -> None:
    with pytest.raises(LabError, match="There is no notebook 12"):
        copies.renew(Home(folder), "12")


def test_git_ignores_the_copies_and_keeps_the_reference() -> None:
    def ignored(name: str) -> bool:
        return subprocess.run(["git", "check-ignore", "-q", name], cwd=REPO, check=False).returncode == 0

    assert ignored("notebooks/00-tour.ipynb")
    assert not ignored("notebooks/reference/00-tour.ipynb")
    assert not ignored("notebooks/text/00-tour.md")
