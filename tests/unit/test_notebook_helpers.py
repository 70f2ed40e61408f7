"""What notebooks are made of: pictures with words, tables, predictions, verdicts, one-sentence errors."""

import json
import time
from pathlib import Path

import pytest
from grading.outcome import Wrong

from lab.errors import LabError
from lab.home import Home
from lab.jupyter.server import api_page
from lab.notebook import plots, prediction
from lab.notebook.diagram import Drawing
from lab.notebook.journey import Journey
from lab.notebook.picture import Picture, Table
from lab.notebook.shell import sentence
from lab.notebook.verdict import Verdict
from lab.notebook.watching import watching


def test_a_picture_has_words() -> None:
    drawing = Drawing(100, 50)
    drawing.box(1, 1, 80, 30, ("<posts>", "running"), good=False)
    shown = Picture(drawing.svg(), 'a "box"', "The title")._repr_mimebundle_()
    assert "&lt;posts&gt;" in drawing.svg()
    assert "stroke-dasharray" in drawing.svg(), "what is wrong shows without colour"
    assert 'alt="a &quot;box&quot;"' in shown["text/html"]
    assert shown["text/plain"] == 'Picture: a "box"'


def test_charts_say_in_words_and_hatches_what_they_show() -> None:
    rows = {"/health": [(0.0, 2.0, "200")], "/ready": [(0.0, 1.0, "200"), (1.0, 2.0, "503")]}
    made = plots.lanes(rows, alt="ready was 503 for a second", title="T", marks=[(1.0, "stops")])
    for word in ("/health", "503", "stops"):
        assert f">{word}<" in made.svg
    assert "<pattern" in made.svg
    assert plots.bars({"one": {"a": 1}, "two": {"a": 2, "b": 3}}, alt="x", title="T", y="y").svg
    assert plots.boxes({"100": {"a": [1.0, 2.0], "b": [3.0, 4.0]}}, alt="x", title="T", y="ms").svg
    assert plots.lines({"a": ([0.0, 1.0], [1.0, 2.0])}, alt="x", title="T", x="s", y="n").svg


def test_the_same_numbers_make_the_same_picture() -> None:
    first, second = (plots.bars({"one": {"a": 1}}, alt="x", title="T", y="y").svg for _ in range(2))
    assert first == second


def test_a_table_is_text_and_html() -> None:
    table = Table("Two rows", ("name", "n"), [("a", 1), ("<b>", 22)])
    assert table.text().splitlines() == ["Two rows", "name  n", "a     1", "<b>   22"]
    assert "&lt;b&gt;" in table._repr_mimebundle_()["text/html"]


def test_predictions_are_kept_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    open_question = prediction.predict("How many?", a="one", b="two")
    assert "no answer yet" in open_question.compare("a").text()
    guess = prediction.predict("How many?", a="one", b="two", mine="b")
    assert "your answer" in guess._repr_mimebundle_()["text/plain"]
    assert "a surprise" in guess.compare("a", "1 of them").text()
    assert "as you said" in guess.compare("b").text()
    assert json.loads((tmp_path / prediction.FILE).read_text())["How many?"]["choice"] == "two"
    with pytest.raises(LabError, match="not one of a, b"):
        prediction.predict("How many?", a="one", b="two", mine="c")
    with pytest.raises(LabError, match="not one of the choices"):
        guess.compare("z")


def test_a_verdict_reads_like_the_terminal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert Verdict.last(home, "01", 1) is None
    verdicts = [
        {"check": "a", "title": "A good thing", "points": 2, "outcome": "pass", "lines": []},
        {"check": "b", "title": "A bad thing", "points": 3, "outcome": "fail",
         "lines": [["saw", "500"], ["means", "It broke."], ["next", "./lab hint 01"]]},
    ]  # fmt: skip
    (tmp_path / "verdicts-01.json").write_text(json.dumps(verdicts))
    found = Verdict.last(home, "1", 1)
    assert str(found) == "FAIL: 1 of 2 checks, 2 of 5 points"
    assert found is not None
    assert "FAIL     A bad thing       3       500 It broke.  ./lab hint 01" in found.table.text()


def test_watching_keeps_what_was_seen() -> None:
    state = ["up"]
    with watching({"unit": lambda: state[0]}, 0.005) as seen:
        while not seen.values["unit"]:
            time.sleep(0.001)
        state[0] = "down"
        seen.mark("stopped")
        while seen.words("unit") != ["up", "down"]:
            time.sleep(0.001)
    assert ">stopped<" in seen.time_line("T", "it went down").svg


def test_a_journey_is_drawn() -> None:
    way = Journey("0" * 24, written=2.0, answered=5.0, on_topic=6.0, in_view=9.0, read=1.5)
    assert (way.arrived, way.delay, way.in_order) == ("b", 4.0, True)
    assert "in Redis after 9 ms" in way.picture().alt


def test_errors_are_sentences() -> None:
    assert sentence(LabError("The system is not running. ./lab up")).endswith("./lab up")
    assert sentence(ConnectionError("refused")).endswith("In a terminal: ./lab status")
    assert "expected 201" in sentence(Wrong("asked", 201, 500, "It broke."))


def test_api_page_needs_nothing_from_outside() -> None:
    answers = {"201": {"description": "Created"}, "401": {"description": "Who are you?"}}
    document = {"paths": {"/api/posts": {"post": {"description": "Write a <post>.", "responses": answers}}}}
    page = api_page("posts", document)
    assert "POST /api/posts" in page
    assert "201 Created, 401 Who are you?" in page
    assert "&lt;post&gt;" in page
    assert "http" not in page.replace("<!doctype html>", "")
