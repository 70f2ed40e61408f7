"""The overview's HTML shows what the board knows, and no text from outside becomes a part of it."""

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.classroom.board import Board
from lab.classroom.charts import bar, passes_over_time
from lab.classroom.overview import content, page
from lab.classroom.questions import questions
from lab.classroom.snapshot import cleaned

QUESTION = next(iter(questions().values()))
CHECK = "test_put_leaves_the_rest"
TAGS = {
    "p", "strong", "code", "section", "h2", "div", "table", "thead", "tbody", "tfoot", "tr", "th", "td",
    "span", "details", "summary", "ul", "li", "b", "svg", "rect", "path", "text", "title",
}  # fmt: skip


class Reader(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.said: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def board(
    name: str = "Ada", title: str = "PUT leaves the rest", message: str = "All fields are empty."
) -> Board:
    made = Board()
    made.add("1", name, 0)
    failures = [{"check": CHECK, "title": title, "message": message}]
    lab = {"steps": {"1": "pass", "2": "not gradable", "4": "fail"}, "failures": failures}
    sent = {"labs": {"01": lab}, "predictions": {QUESTION.text: {"mine": "b", "seen": True}}}
    made.put("1", cleaned(sent), 40)
    return made


def test_what_a_person_did_is_shown() -> None:
    html = content(board(), 4000 + 40, "./lab class join 1.2.3.4:8780 ABCDEF --name NAME")
    assert 'class="pass edge" title="lab 01, step 1: pass">✓<' in html
    assert 'class="unclear" title="lab 01, step 2: not gradable">!<' in html
    assert 'class="fail" title="lab 01, step 4: fail">✗<' in html
    text = " ".join(Reader(html).said)
    for said in (
        "Steps passed: 1", "01 step 4, 1 h 6 min", "1 h 6 min ago", "1 person: lab 01, step 4",
        "1 of 1 have", "All fields are empty.", "ABCDEF", QUESTION.choices["b"],
    ):  # fmt: skip
        assert said in re.sub(r"\s+([.])", r"\1", re.sub(r"\s+", " ", text)), said


def test_an_empty_class() -> None:
    assert "Nobody has joined yet." in page(Board(), 0)
    made = Board()
    made.add("1", "Ada", 0)
    text = " ".join(Reader(content(made, 10)).said)
    for said in ("Ada", "none yet", "No step is passed yet.", "No check fails", "Nobody has answered"):
        assert said in text


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1), st.text(), st.text())
def test_no_text_becomes_markup(name: str, title: str, message: str) -> None:
    hostile = "\"'><script>x</script><img src=x onerror=y>&amp;"
    read = Reader(content(board(name + hostile, title + hostile, message + hostile), 10, hostile))
    assert read.tags <= TAGS
    assert not {name for name in read.attributes if name.startswith("on")}
    assert "src" not in read.attributes


def test_bars_and_lines() -> None:
    assert 'width="67"' in bar(2, 3)
    assert 'width="0"' in bar(0, 0)
    line = passes_over_time([100.0 + n for n in range(50_000)], 60_000)
    assert len(line) < 20_000
    assert "50000 passes" in line
    assert "nan" not in passes_over_time([5.0], 5.0)
    # A clock that was set back must not draw outside of the picture.
    numbers = [float(n) for n in re.findall(r"[HM](-?[\d.]+)", passes_over_time([500.0, 900.0], 100))]
    assert all(0 <= number <= 640 for number in numbers)
