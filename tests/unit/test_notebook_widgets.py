"""Predictions and buttons: widgets in JupyterLab, the same as text elsewhere."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.commands.notebook import Folders, Server, invocation
from lab.course import running
from lab.course.exercise import exercise
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import REPO, Home
from lab.jupyter import widgets
from lab.notebook import command, prediction
from lab.notebook.panel import Buttons, Panel
from lab.notebook.prediction import predict

VIEW = "application/vnd.jupyter.widget-view+json"
QUESTION = "How many?"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.delenv(widgets.VARIABLE, raising=False)
    return Home(tmp_path)


@pytest.fixture
def drawn(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(widgets.VARIABLE, "1")


def asked() -> prediction.Prediction:
    return predict(QUESTION, a="one", b="two")


def test_jupyterlab_asks_for_widgets_and_keeps_their_state(tmp_path: Path) -> None:
    env = invocation(Server("127.0.0.1", 8888, "secret"), Folders(tmp_path), browser=False)[1]
    assert env[widgets.VARIABLE] == "1"
    settings = REPO / "platform/lab/jupyter/config/labconfig/default_setting_overrides.json"
    assert json.loads(settings.read_text())["@jupyter-widgets/jupyterlab-manager:plugin"]["saveState"] is True


def test_the_front_end_of_the_widgets_is_installed() -> None:
    front = (
        Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "@jupyter-widgets" / "jupyterlab-manager"
    )
    assert (front / "package.json").exists()


def test_without_a_front_end_a_prediction_is_a_table_and_forgets_earlier_answers(home: Home) -> None:
    asked().choose("b")
    assert prediction.kept(home)[QUESTION]["choice"] == "two"
    again = asked()
    assert again.mine == ""
    assert VIEW not in again._repr_mimebundle_()


@pytest.mark.usefixtures("drawn")
def test_a_click_is_kept_remembered_and_locked_after_the_outcome(home: Home) -> None:
    guess = asked()
    assert VIEW in guess._repr_mimebundle_()
    assert "How many?" in guess._repr_mimebundle_()["text/plain"]
    guess._radio._choices.value = "b"  # what a click in the browser sets
    assert guess.mine == "b"
    again = asked()
    again._repr_mimebundle_()
    assert again._radio._choices.value == "b"
    assert not again._radio._choices.disabled
    again.compare(a=True, b=False)
    assert again._radio._choices.disabled
    assert prediction.kept(home)[QUESTION]["seen"] is True
    with pytest.raises(LabError, match="cannot change"):
        again.choose("a")
    assert asked().locked  # also in the next kernel


@pytest.mark.usefixtures("drawn")
def test_without_an_answer_the_outcome_locks_nothing() -> None:
    guess = asked()
    assert "no answer yet" in guess.compare(a=True, b=False).text()
    assert not guess.locked
    guess.choose("a")


@pytest.mark.usefixtures("drawn")
def test_an_answer_to_other_choices_is_not_remembered() -> None:
    asked().choose("b")
    assert predict(QUESTION, a="one", b="a dozen").mine == ""


def test_the_choice_is_explained_and_so_is_what_happened(home: Home) -> None:
    why = {"a": "There is one leader.", "b": "Two would disagree."}
    guess = asked()
    assert "why, for b" not in guess.compare(a=True, b=False).because(**why).text()
    guess.choose("b")
    said = guess.compare(a=True, b=False).because(**why).text()
    assert said.index("Two would disagree.") < said.index("There is one leader.")
    guess = predict("Another?", a="one", b="two", mine="a")
    assert "Two would" not in guess.compare(a=True, b=False).because(**why).text()
    with pytest.raises(LabError, match="explains c, which is no choice"):
        guess.compare(a=True, b=False).because(c="?")


Command = tuple[list[list[str]], Callable[[Sequence[str], Callable[[str], object]], int]]


def commands(home: Home, outcome: str) -> Command:
    """What was run, and what takes the place of ./lab: it prints a line and writes a verdict."""
    ran: list[list[str]] = []

    def run(words: Sequence[str], told: Callable[[str], object]) -> int:
        ran.append([*words])
        told(f"did {words[0]} <b>\n")
        if words[0] == "check":
            verdict = {"check": "c", "title": "A check", "points": 2, "step": int(words[-1]),
                       "outcome": outcome, "lines": [["saw", "500"], ["next", "./lab hint 01"]]}  # fmt: skip
            (home.root / f"verdicts-{words[1]}.json").write_text(json.dumps([verdict]))
        return 0 if outcome == "pass" else 1

    return ran, run


@pytest.fixture
def written(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lab 01 as a learner has it who wrote all steps and started it."""
    files = {piece.module: piece.source for piece in exercise("01").pieces}
    monkeypatch.setattr(running, "running_files", lambda home, lab: files)
    monkeypatch.setattr(running, "is_active", lambda home, lab: True)


@pytest.mark.usefixtures("written")
def test_check_judges_step_by_step_and_shows_each_outcome_as_it_comes(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, run = commands(home, "fail")
    monkeypatch.setattr(command, "run", run)
    panel = Panel("1", home)
    seen: list[list[str]] = []
    told: list[str] = []

    def hear(html: str) -> None:
        seen.append([panel.outcome(step) for step in panel.steps()])
        told.append(html)

    news = panel.check(hear)
    count = len(panel.lab.steps)
    assert ran == [["check", "01", "--step", str(number)] for number in range(1, count + 1)]
    assert seen[0][0] == "checking"
    assert seen[1][:2] == ["fail", "not checked"]
    assert [html.count("<table") for html in told[:4]] == [0, 1, 1, 2]  # each verdict as it arrives
    assert news.count("<table") == count
    assert "500" in news
    assert "FAIL" in panel.table().text()


def test_nothing_is_judged_before_start_or_before_something_is_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, run = commands(home, "pass")
    monkeypatch.setattr(command, "run", run)
    assert "Click Start first" in Panel("01", home).check()
    lab = exercise("01")
    files = {piece.module: tmp_path / piece.file.name for piece in lab.pieces}
    for piece in lab.pieces:
        files[piece.module].write_text(starter(lab, piece))
    monkeypatch.setattr(running, "running_files", lambda home, lab: files)
    monkeypatch.setattr(running, "is_active", lambda home, lab: True)
    panel = Panel("01", home)
    panel._outcomes = {1: "pass"}  # from before the file was reset
    assert "Lab 01, step 1: write" in panel.check()
    assert "OPEN" in Panel("01", home).table().text()
    assert ran == []


@pytest.mark.usefixtures("drawn", "written")
def test_the_buttons_do_what_the_commands_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, run = commands(home, "pass")
    monkeypatch.setattr(command, "run", run)
    panel = Panel("01", home)
    assert VIEW in panel._repr_mimebundle_()
    buttons: Any = panel._drawn
    assert isinstance(buttons, Buttons)
    assert [button.description for button in buttons._buttons] == ["Start", "Check", "Hint", "Stop"]
    buttons._begin(lambda: buttons._command("hint")).join(10)
    assert "did hint &lt;b&gt;" in buttons._news.value
    buttons._begin(lambda: panel.check(buttons._told)).join(10)
    assert "Lab 01 is passed: each of its 5 steps passes." in buttons._news.value
    assert "✓ Step 1" in buttons._steps.value
    assert not any(button.disabled for button in buttons._buttons)

    def breaks() -> str:
        raise OSError("no such file")

    buttons._begin(breaks).join(10)
    assert "no such file" in buttons._news.value
    assert ran[0] == ["hint", "01"]


def test_text_mode_does_not_import_the_widgets() -> None:
    code = "import lab.notebook, sys; sys.exit('ipywidgets' in sys.modules)"
    path = {"PYTHONPATH": f"{REPO / 'platform'}:{REPO / 'checks'}"}
    done = subprocess.run([sys.executable, "-P", "-c", code], env=os.environ | path, check=False)
    assert done.returncode == 0
