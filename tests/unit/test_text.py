"""Text from outside is shown literally, and never interpreted by the terminal."""

import io
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from lab.course.report import write_html, write_junit
from lab.notebook.diagram import Drawing
from lab.notebook.picture import Table
from lab.progress import Progress
from lab.terminal import Console, print_rows
from lab.text import as_html, never_refuse, shortened, visible

HOSTILE = ("[/b] oops", "[null]", "[red]x[/red]", "[link=http://x]y[/link]", ":smile:", "\\[bold]")
CONTROLS = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "a\rb",
    "\u202egnp.exe",
    "\x9b31m",
    "\ud800",
    "\x00",
    "\u2028",
    "\ufeff",
)


def printed(width: int = 80) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, force_terminal=False), out


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_printed_literally(text: str) -> None:
    console, out = printed()
    console.print(text)
    console.print(f"in a sentence: {text}", style="bold")
    print_rows(console, ("head", "[b]head"), [(text, text)])
    with Progress(console) as progress:
        progress.say("step", text)
        progress.done("step", text)
    assert out.getvalue().count(text) == 6, out.getvalue()


@pytest.mark.parametrize("text", CONTROLS)
def test_controls_are_made_visible(text: str) -> None:
    console, out = printed()
    console.print(f"<{text}>")
    print_rows(console, ("head",), [(text,)])
    seen = out.getvalue()
    assert not any(c in seen for c in text if not c.isprintable()), ascii(seen)
    assert "\\" in seen
    assert visible(text) in seen
    out.getvalue().encode()


def test_letters_of_all_people_stay() -> None:
    for text in ("Köln", "東京", "مرحبا", "👩\u200d👧", "naïve café"):
        assert visible(text) == text


def test_long_values_are_shortened() -> None:
    assert shortened("x" * 3000) == "x" * 80 + "… (3,000 characters)"
    assert len(shortened("\x1b" * 10**6)) < 120
    assert shortened("two\nlines") == "two lines"
    assert shortened("é" * 80) == "é" * 80


def test_pages_and_pictures_hold_no_markup_of_others(tmp_path: Path) -> None:
    evil = '<script>x</script>"\x1b\u202e\ud800&'
    known = {
        "outcome": evil, "points": 1, "of": 2, "verdicts": [{
            "check": evil, "title": evil, "lab": "01", "outcome": "fail", "points": 1, "seconds": 1.0,
            "lines": [[evil, evil]],
        }],
    }  # fmt: skip
    write_html(tmp_path / "r.html", {"01": known})
    write_junit(tmp_path / "r.xml", {"01": known})
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert as_html(evil) in page
    case = Xml.parse(tmp_path / "r.xml").find(".//failure")
    assert case is not None
    assert visible(evil) in str(case.text)
    drawing = Drawing(10, 10)
    drawing.text(1, 1, evil)
    bundle = Table(evil, [evil], [[evil]])._repr_mimebundle_()
    for text in (drawing.svg(), *bundle.values()):
        assert "\x1b" not in text
        assert "\u202e" not in text
        text.encode()
    assert "<script>" not in drawing.svg() + bundle["text/html"]


@pytest.mark.parametrize(
    ("encoding", "wanted"), [("ascii", "a -> Koln ... ?"), ("latin-1", "a -> Köln ... ?")]
)
def test_no_encoding_is_an_error(encoding: str, wanted: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    never_refuse(stream)
    stream.write("a → Köln … 東")
    stream.flush()
    assert raw.getvalue().decode(encoding) == wanted


ADDRESS = "http://127.0.0.11:5000/a/rather/long/path"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_addresses_are_never_cut(width: int) -> None:
    console, out = printed(width)
    rows = [("auth", ADDRESS, "words that may be wrapped wherever a line ends")]
    print_rows(console, ("unit", "address", "note"), rows, whole=("unit", "address"))
    assert ADDRESS in out.getvalue()
    assert "…" not in out.getvalue()


@pytest.mark.parametrize("columns", ["²", "abc", "0", "-5", "9" * 30, "1", ""])
def test_a_width_that_is_none(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    console = Console(file=io.StringIO())
    assert console.width >= 20
