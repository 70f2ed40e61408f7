"""The helpers of the notebooks: pictures with text, tables, predictions, verdicts, short errors."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from grading.outcome import Wrong

from lab.errors import LabError
from lab.home import Home
from lab.jupyter.server import api_page
from lab.notebook import claim, plots, prediction
from lab.notebook.diagram import Drawing
from lab.notebook.journey import Journey
from lab.notebook.picture import Picture, Table
from lab.notebook.shell import _lab_in, sentence
from lab.notebook.shell import lab as magic
from lab.notebook.verdict import Verdict
from lab.notebook.watching import Seen, watching


def test_a_picture_has_words() -> None:
    drawing = Drawing(100, 50)
    drawing.box(1, 1, 80, 30, ("<posts>", "running"), good=False)
    shown = Picture(drawing.svg(), 'a "box"', "The title")._repr_mimebundle_()
    assert "&lt;posts&gt;" in drawing.svg()
    assert "stroke-dasharray" in drawing.svg(), "what is wrong shows without colour"
    assert 'alt="a &quot;box&quot;"' in shown["text/html"]
    assert shown["text/plain"] == 'Picture: a "box"'


def test_charts_are_drawn() -> None:
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
    assert "no answer yet" in open_question.compare(a=True, b=False).text()
    guess = prediction.predict("How many?", a="one", b="two", mine="b")
    assert "your answer" in guess._repr_mimebundle_()["text/plain"]
    assert "something else happened" in guess.compare(saw="1 of them", a=True, b=False).text()
    assert "as you predicted" in guess.compare(a=False, b=True).text()
    assert "none of these" in guess.compare(a=False, b=False).text()
    assert "a: one; b: two" in guess.compare(a=True, b=True).text()
    assert json.loads((tmp_path / prediction.FILE).read_text())["How many?"]["choice"] == "two"
    with pytest.raises(LabError, match="not one of a, b"):
        prediction.predict("How many?", a="one", b="two", mine="c")
    with pytest.raises(LabError, match="each choice"):
        guess.compare(a=True)


def test_a_verdict_reads_like_the_terminal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert Verdict.last(home, "01", 1) is None
    verdicts = [
        {"check": "a[number]", "title": "A good thing", "points": 2, "outcome": "pass", "lines": []},
        {"check": "b", "title": "A bad thing", "points": 3, "outcome": "fail",
         "lines": [["saw", "500"], ["means", "It broke."], ["next", "./lab hint 01"]]},
    ]  # fmt: skip
    (tmp_path / "verdicts-01.json").write_text(json.dumps(verdicts))
    found = Verdict.last(home, "1", 1)
    assert str(found) == "FAIL: 1 of 2 checks, 2 of 5 points"
    assert found is not None
    assert "FAIL     0 of 3  A bad thing       500 It broke.  ./lab hint 01" in found.table.text()
    assert "A good thing" not in found.table.text()
    passed = replace(found, verdicts=verdicts[:1]).table
    assert list(passed.heads) == ["step", "outcome", "points", "what was checked"]


def test_a_verdict_has_one_row_for_each_step(tmp_path: Path) -> None:
    verdicts = [
        {"check": "a", "title": "A", "points": 2, "step": 1, "outcome": "pass", "lines": []},
        {"check": "b[slow]", "title": "B", "points": 3, "step": 2, "outcome": "fail",
         "lines": [["saw", "500"]]},
        {"check": "c", "title": "C", "points": 1, "step": 3, "outcome": "not attempted",
         "lines": [["saw", "Lab 07, step 3: write it"]]},
    ]  # fmt: skip
    (tmp_path / "verdicts-07.json").write_text(json.dumps(verdicts))
    found = Verdict.last(Home(tmp_path), "07", 1)
    assert found
    rows = [row[1:] for row in found.table.rows]
    assert rows[0] == ("PASS", "2 of 2", "1 of 1 checks", "", "")
    assert rows[1] == ("FAIL", "0 of 3", "0 of 1 checks", "", "")
    assert rows[2] == ("FAIL", "0 of 3", "B (slow)", "500", "")
    assert rows[3] == ("OPEN", "0 of 1", "0 of 1 checks", "Lab 07, step 3: write it", "")


def test_a_verdict_names_what_is_not_written(tmp_path: Path) -> None:
    verdicts = [
        {"check": str(step), "title": "T", "points": 1, "outcome": "not attempted",
         "lines": [["saw", f"Lab 07, step {step}: write Projection.apply"], ["next", "./lab task 07"]]}
        for step in (2, 1)
    ]  # fmt: skip
    (tmp_path / "verdicts-07.json").write_text(json.dumps(verdicts))
    said = str(Verdict.last(Home(tmp_path), "07", 3))
    assert said.startswith("NOT ATTEMPTED: 0 of 2 checks")
    assert said.endswith("Not written yet: Lab 07, step 1: write Projection.apply")


def test_watching_keeps_what_was_seen() -> None:
    state = ["up"]
    with watching({"unit": lambda: state[0]}, 0.005) as seen:
        while not seen.values["unit"]:
            time.sleep(0.001)
        state[0] = "down"
        seen.mark("stopped")
        while seen.words("unit") != ["up", "down"]:
            time.sleep(0.001)
    shown = seen.time_line("T")
    assert ">stopped<" in shown.svg
    assert re.fullmatch(
        r"T\. unit: up until \d\.\d s, then down until \d\.\d s\. stopped at \d\.\d s\.", shown.alt
    )


def test_a_chart_says_its_numbers_and_leaves_gaps() -> None:
    seen = Seen({"lag": lambda: 0})
    seen.values["lag"] = [(0.0, 0), (1.0, 7), (2.0, None), (3.5, 2), (4.0, 0)]
    seen.marks, seen.ended = [(1.0, "stops"), (3.0, "starts")], 4.5
    alt = seen.chart("T", "events").alt
    said = "0 at first, at most 7 after 1.0 s, 0 at the end, unknown for 1.5 s"
    assert alt == f"T. lag: {said}. stops at 1.0 s, starts at 3.0 s."
    assert seen.between("lag", "stops", "starts") == [7, None]
    assert seen.most("lag") == 7


def test_what_does_not_answer_is_seen_as_none() -> None:
    def look() -> int:
        raise httpx.ConnectError("away")

    with watching({"away": look}, 0.001) as seen:
        while not seen.values["away"]:
            time.sleep(0.001)
    assert seen.values["away"][0][1] is None


def test_a_journey_is_drawn() -> None:
    way = Journey("0" * 24, written=2.0, answered=5.0, on_topic=6.0, in_view=9.0, read=1.5)
    assert (way.delay, way.in_order) == (4.0, True)
    assert "auth needed an unknown time" in way.picture().alt
    alt = replace(way, auth=1.25, posts=3.0, feed=0.5).picture().alt
    assert "auth needed 1.2 ms and posts 3.0 ms; in MongoDB after 2 ms" in alt
    assert "in Redis after 9 ms; read back in 1.5 ms, of which feed needed 0.5 ms" in alt


def test_the_claim_is_tested_by_what_was_measured() -> None:
    ways = {claim.ON_DEMAND: [1.0], claim.WITH_INDEX: [1.0], claim.LIST: [0.1], claim.THROUGH_GATEWAY: [2.5]}
    measured = {100: ways, 100_000: ways | {claim.ON_DEMAND: [90.0, 120.0, 140.0]}}
    words = [row[2] for row in claim.tested(measured).rows]
    assert words == ["as claimed", "yes", "from 100 000 posts on"]
    slow = {
        size: by | {claim.THROUGH_GATEWAY: [9.0], claim.ON_DEMAND: [50.0]} for size, by in measured.items()
    }
    assert [row[2] for row in claim.tested(slow).rows][::2] == ["slower", "not up to 100 000 posts"]
    assert "MongoDB, no index 120.00 ms" in claim.picture(measured).alt
    assert "120.00" in claim.table(measured).text()


def test_errors_are_sentences() -> None:
    assert sentence(LabError("The system is not running. ./lab up")).endswith("./lab up")
    assert sentence(ConnectionError("refused")).endswith("In a terminal: ./lab status")
    assert "expected 201" in sentence(Wrong("asked", 201, 500, "It broke."))


@pytest.mark.parametrize("line", ["check '01", 'task "', "hint 01\\"])
def test_a_line_that_a_shell_cannot_read_is_named(line: str) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        magic(line)


def test_api_page_needs_nothing_from_outside() -> None:
    answers = {"201": {"description": "Created"}, "401": {"description": "Who are you?"}}
    document = {"paths": {"/api/posts": {"post": {"description": "Write a <post>.", "responses": answers}}}}
    page = api_page("posts", document)
    assert "POST /api/posts" in page
    assert "201 Created, 401 Who are you?" in page
    assert "&lt;post&gt;" in page
    assert "http" not in page.replace("<!doctype html>", "")


@pytest.mark.parametrize(
    "line", ["check 01", "check --step 2 01", "check --seed 7 --step 2 01 -x", "check -x 01"]
)
def test_the_lab_of_a_check_is_found_wherever_it_stands(line: str) -> None:
    assert _lab_in(line.split()) == "01"
