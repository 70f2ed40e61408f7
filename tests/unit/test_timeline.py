"""Time lines: a colour has one meaning in all pictures, and each bar has a label."""

import re
from itertools import pairwise

import pytest

from lab.notebook.plots import SHADES
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
