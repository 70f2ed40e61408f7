"""Progress, hints and reports: a damaged file never causes a traceback."""

import json
import threading
import xml.etree.ElementTree as Xml
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lab.course import hints
from lab.course.exercise import exercise
from lab.course.record import Record
from lab.course.report import write_html, write_junit
from lab.errors import LabError
from lab.home import Home

LAB = exercise("01")


def verdict(check: str, outcome: str, text: str = "") -> dict[str, Any]:
    return {"check": check, "title": f"about <{check}>", "lab": "01", "points": 2, "outcome": outcome,
            "seconds": 0.25, "lines": [["saw", text]] if text else []}  # fmt: skip


VERDICTS = [
    verdict("test_created_with_location", "pass"),
    verdict("test_delete", "fail", "<b>\x00 & ]]>\ud800"),
    verdict("test_put_leaves_the_rest", "not attempted", "Lab 01, step 4: write update"),
    verdict("test_alive_without_database", "not gradable", "kafka does not answer"),
]
FACTS: dict[str, Any] = {
    "outcome": "fail", "points": 2, "of": 8, "first": "test_delete", "mine": True, "when": "now",
    "verdicts": VERDICTS,
}  # fmt: skip


def test_progress_survives(tmp_path: Path) -> None:
    Record(Home(tmp_path)).note("01", **FACTS)
    assert Record(Home(tmp_path)).of("01") == FACTS
    assert Record(Home(tmp_path)).remark == ""
    (tmp_path / "progress.json").unlink()
    assert Record(Home(tmp_path)).of("01") == {}
    assert Record(Home(tmp_path)).remark == ""


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"01": 7}', '{"01": {"points": "many"}}', '{"01": {"points": 3}}', "\x00",
     '{"01": {"steps": {"x": "pass"}}}', '{"01": {"steps": {"1": 2}}}', "[" * 100_000,
     '{"01": {"verdicts": [{"check": "x"}]}}', '{"01": {"verdicts": 3}}', '{"01": {"hints": "x"}}'],
    ids=range(14),
)  # fmt: skip
def test_a_garbled_file_is_said_and_kept(text: str, tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    file.write_text(text)
    record = Record(Home(tmp_path))
    assert record.of("01") == {}
    assert str(file) in record.remark
    record.note("02", outcome="pass")
    assert Record(Home(tmp_path)).of("02") == {"outcome": "pass"}
    assert Record(Home(tmp_path)).remark == ""
    assert file.with_suffix(".unreadable").read_text() == text


def test_what_is_good_in_a_garbled_file_stays(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text(json.dumps({"01": {"outcome": "pass"}, "02": 7}))
    assert Record(Home(tmp_path)).of("01") == {"outcome": "pass"}


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        Record(Home(tmp_path)).note(f"{number:02}", outcome="pass")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [n for n in range(16) if not Record(Home(tmp_path)).of(f"{n:02}")] == []


def test_reports_are_well_formed(tmp_path: Path) -> None:
    results = {"01": FACTS, "02": {}}
    junit, page = tmp_path / "junit.xml", tmp_path / "page.html"
    write_junit(junit, results)
    suite = Xml.parse(junit).getroot().find("testsuite[@name='lab 01']")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "1"]
    assert [len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")] == [1, 1, 1]
    write_html(page, results)
    text = page.read_text()
    assert "&lt;b&gt;" in text
    assert "about <test" not in text

    class Tags(HTMLParser):
        open: list[str]

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open += [tag] if tag != "meta" else []

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    tags = Tags()
    tags.open = []
    tags.feed(text)
    tags.close()
    assert tags.open == []


GAPS = {n: f"Lab 01, step {n}: write x" for n in range(1, 6)}


@pytest.mark.parametrize(
    ("known", "written", "step"),
    [
        ({}, set(), 1),
        ({}, {1, 2}, 3),
        (FACTS, {1, 3, 4}, 4),  # the failed test_delete judges step 4
        (FACTS, {1, 3}, 2),
        ({}, {1, 2, 3, 4, 5}, 5),
        ({"first": "about something, as an older version wrote"}, {1}, 2),
    ],
)
def test_a_hint_is_for_the_step_one_is_at(known: dict[str, Any], written: set[int], step: int) -> None:
    gaps = {n: text for n, text in GAPS.items() if n not in written}
    assert hints.following(LAB, known, gaps, None).step == step


def test_hints_of_a_step_go_on_and_end() -> None:
    of_step = [hint for hint in LAB.hints if hint.step == 3]
    for count, wanted in enumerate([*of_step, None]):
        found = hints.following(LAB, {"hints": {"3": count, "1": 9}}, GAPS, 3)
        assert found.hint == wanted
    with pytest.raises(LabError, match="5 Refuse what you do not know"):
        hints.following(LAB, {}, GAPS, 6)
