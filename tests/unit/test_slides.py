"""Slides: the syntax is read as Marp does, each lesson has a deck, and steps show the labs' minutes."""

import re
from pathlib import Path

import pytest
from slide_minutes import ROW, WHOLE, deck, written

from lab.classroom.questions import questions
from lab.course.exercise import Exercise, exercises
from lab.errors import LabError
from lab.home import REPO
from lab.site.slides import MARK, SOURCES, build, read

DECKS = sorted(SOURCES.glob("[0-9][0-9]-*.md"))
WORDS = 75
"""A slide with more words is a page."""

SMALL = """---
marp: true
title: "One <deck>"
---
<!-- _class: lead -->

# First

<!-- Say hello. -->

---

```text
a
---
b
```

<!-- One. -->
<!-- Two. -->
"""


def small(tmp_path: Path, text: str = SMALL) -> Path:
    (tmp_path / "decks").mkdir(exist_ok=True)
    file = tmp_path / "decks" / "00-one.md"
    file.write_text(text, encoding="utf-8")
    return file


def test_slides_classes_and_notes_are_told_apart(tmp_path: Path) -> None:
    deck = read(small(tmp_path))
    assert deck.title == "One <deck>"
    first, second = deck.slides
    assert (first.kind, first.notes, first.text) == ("lead", "Say hello.", "# First")
    assert "---" in second.text  # inside a block of code, it divides nothing
    assert second.notes == "One.\n\nTwo."


@pytest.mark.parametrize("text", ["# No front matter\n", "---\ntitle: x\n---\n", "---\nmarp: true\n---\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(LabError, match="must begin with a front matter"):
        read(small(tmp_path, text))


def test_decks_need_nothing_from_outside(tmp_path: Path) -> None:
    file = small(tmp_path)
    pages = build(tmp_path / "out", file.parent)
    assert [page.name for page in pages] == ["index.html", "00-one.html", "00-one-notes.html"]
    text = pages[1].read_text()
    assert "<title>One &lt;deck&gt;</title>" in text
    assert "Say hello." not in text
    assert "Say hello." in pages[2].read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    build(tmp_path / "out", file.parent)  # its own folder is written again


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match="did not make it"):
        build(tmp_path / "mine", small(tmp_path).parent)
    assert not (tmp_path / "mine" / MARK).exists()


def test_pictures_are_inside_and_those_of_others_are_refused(tmp_path: Path) -> None:
    secret = SMALL.replace("# First", "![x](../../../../../../etc/passwd)")
    with pytest.raises(LabError, match="not an SVG or PNG file"):
        build(tmp_path / "out", small(tmp_path, secret).parent)
    build(tmp_path / "all")
    assert "data:image/svg+xml;base64," in (tmp_path / "all" / "02-discovery.html").read_text()


def test_each_lesson_has_a_deck() -> None:
    texts = sorted((REPO / "notebooks" / "text").glob("[0-9][0-9]-*.md"))
    assert [deck.stem for deck in DECKS] == [text.stem for text in texts]


@pytest.mark.parametrize("file", DECKS, ids=lambda file: file.stem)
def test_each_slide_is_one_idea_with_notes(file: Path) -> None:
    deck = read(file)
    assert 10 <= len(deck.slides) <= 15
    for slide in deck.slides:
        assert slide.notes, f"no notes: {slide.text[:60]}"
        prose = re.sub(r"```.*?```", "", slide.text, flags=re.DOTALL)
        assert len(prose.split()) <= WORDS, slide.text
        assert len(re.findall(r"^#+ ", prose, re.MULTILINE)) == 1, slide.text


@pytest.mark.parametrize("file", DECKS, ids=lambda file: file.stem)
def test_predictions_on_slides_are_those_of_the_notebook(file: Path) -> None:
    asked = [question for question in questions().values() if question.lesson == file.stem[:2]]
    slides = [slide.text for slide in read(file).slides if "- **a** " in slide.text]
    assert len(slides) == len(asked)
    for slide, question in zip(slides, asked, strict=True):
        assert [*question.choices] == re.findall(r"^- \*\*(\w)\*\* ", slide, re.MULTILINE)


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_the_minutes_of_steps_are_those_of_the_lab(lab: Exercise) -> None:
    text = deck(lab).read_text(encoding="utf-8")
    assert [title for _, title, _ in ROW.findall(text)] == [*lab.steps]
    assert WHOLE.search(text), "the first note has no minutes"
    assert text == written(lab), "copy the minutes: .venv/bin/python tests/slide_minutes.py"
