"""Time lines: a colour has one meaning in all pictures, and each bar has a label."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from lab.home import REPO
from lab.notebook.diagram import BAD, GOOD
from lab.notebook.plots import SHADES, STYLES
from lab.notebook.timeline import FEW, LOOKS, Span, lanes, look_of

STATES = (
    ("passing", "works"), ("200", "works"), ("201 created", "works"), ("critical", "unavailable"),
    ("503", "unavailable"), ("502", "server error"), ("500", "server error"),
    ("no answer", "no answer in time"), ("not in the catalog", "not listed"),
    ("409 taken", "refused"), ("2 cats", "other"), ("None", "other"),
)  # fmt: skip


def picture(*words: str) -> str:
    """A picture with one lane, in which each word was seen for a second."""
    moments: list[float] = [float(n) for n in range(len(words) + 1)]
    spans: list[Span] = [(a, b, word) for (a, b), word in zip(pairwise(moments), words, strict=True)]
    return lanes({"seen": spans}, alt="x", title="T").svg


def colours(svg: str) -> set[str]:
    return {look.colour for look in LOOKS if look.colour != "#ffffff" and look.colour in svg}


def test_each_meaning_has_a_colour_and_a_hatch_of_its_own() -> None:
    """No series in another kind of chart has the colour of an outcome."""
    assert len({look.colour for look in LOOKS} | {*SHADES}) == len(LOOKS) + len(SHADES)
    drawn = [look.hatch for look in LOOKS if look.colour != "#ffffff"]
    assert len(set(drawn)) == len(drawn)


def test_a_series_has_neither_the_colour_of_good_nor_that_of_bad() -> None:
    assert not {GOOD, BAD} & {*SHADES, *(colour for _, _, colour in STYLES)}


@pytest.mark.parametrize("file", sorted((REPO / "docs" / "concepts" / "pictures").glob("*.svg")))
def test_concept_pictures_draw_good_and_bad_as_the_notebooks_do(file: Path) -> None:
    """Greys are neutral, and each fill is a light tint of its edge."""
    used = set(re.findall(r"(?:fill|stroke)[=:]\s*\"?(#[0-9a-f]{6})", file.read_text(encoding="utf-8")))
    coloured = {colour for colour in used if len({colour[1:3], colour[3:5], colour[5:7]}) > 1}
    assert coloured <= {GOOD, BAD, "#eef5fb", "#fff1ec"}


@pytest.mark.parametrize(("word", "meaning"), STATES)
def test_words_have_a_meaning(word: str, meaning: str) -> None:
    assert look_of(word).meaning == meaning


def test_a_word_has_the_same_colour_in_each_picture() -> None:
    """Also when other words come first, or there are none."""
    alone = picture("critical")
    assert colours(alone) == {look_of("critical").colour}
    assert colours(picture("critical", "not in the catalog")) == colours(
        picture("not in the catalog", "critical")
    )
    assert colours(picture("200", "503")) == colours(picture("passing", "critical"))
    assert not colours(picture("502")) & colours(picture("503", "no answer", "200"))


@pytest.mark.parametrize("lanes_shown", [2, FEW])
def test_each_bar_has_its_label(lanes_shown: int) -> None:
    """Also a bar that is too short to hold it."""
    rows: dict[str, list[Span]] = {
        f"row {n}": [(0.0, 5.0, "passing"), (5.0, 5.05, "critical"), (5.05, 5.1, "502"), (5.1, 9.0, "200")]
        for n in range(lanes_shown)
    }
    svg = lanes(rows, alt="x", title="T", marks=[(1.0, "stops")]).svg
    for word in ("passing", "critical", "502", "200"):
        assert len(re.findall(f">{word}<", svg)) == lanes_shown
    assert ">unavailable: critical<" in svg
    assert ">stops<" in svg
    assert "<pattern" in svg
