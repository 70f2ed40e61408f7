"""Time lines: what was seen from when to when, as labelled bars. A colour has one meaning in all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

from lab.notebook.picture import Picture
from lab.notebook.plots import SETTINGS, TITLE_PAD, canvas, mark_moments

Span = tuple[float, float, str]
"""From, to, and the word for what was seen meanwhile."""

FEW = 8
"""So many lanes have room for labels inside and below their bars; more lanes are drawn flat."""
LETTER = 0.0125
"""Width of a letter as a part of the whole picture; a bar holds its label if there is room."""
LEVELS = (-0.37, -0.53, -0.69)
"""Heights below a lane for the labels of bars that are too short to hold them."""


@dataclass(frozen=True)
class Look:
    """How every time line draws one meaning: a colour, and a hatch for readers who do not see colours."""

    meaning: str
    colour: str
    hatch: str


WORKS = Look("works", "#cfe3f5", "")
UNAVAILABLE = Look("unavailable", "#f2c9a8", "///")
ERROR = Look("server error", "#dcc8e8", "xx")
SILENCE = Look("no answer in time", "#e4e4e4", "...")
MISSING = Look("not listed", "#f7f0b5", "\\\\")
REFUSED = Look("refused", "#f5d0d8", "||")
OTHER = Look("other", "#ffffff", "")
LOOKS = (WORKS, UNAVAILABLE, ERROR, SILENCE, MISSING, REFUSED, OTHER)
WORDS = {
    "passing": WORKS, "critical": UNAVAILABLE, "503": UNAVAILABLE, "no answer": SILENCE,
    "not in the catalog": MISSING,
}  # fmt: skip
BY_STATUS = {"2": WORKS, "4": REFUSED, "5": ERROR}


def look_of(word: str) -> Look:
    """The look of a word that was seen: a state such as 'passing', or one that begins with a status code."""
    first = word.partition(" ")[0]
    if found := WORDS.get(word) or WORDS.get(first):
        return found
    if len(first) == len("200") and first.isdigit():
        return BY_STATUS.get(first[0], OTHER)
    return OTHER


def lanes(
    rows: Mapping[str, Sequence[Span]], *, alt: str, title: str, x: str = "seconds",
    marks: Sequence[tuple[float, str]] = (),
) -> Picture:  # fmt: skip
    """A time line: one lane for each thing that was watched, and a label for each of its bars."""
    few = len(rows) < FEW
    height = 1.1 + (0.8 if few else 0.2) * len(rows)
    whole = max(end for spans in rows.values() for _, end, _ in spans)
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas(height)
        for lane, spans in enumerate(rows.values()):
            taken = [0.0] * len(LEVELS)
            for start, end, word in spans:
                look = look_of(word)
                axes.barh(-lane, end - start, left=start, height=0.5 if few else 0.7, color=look.colour,
                          edgecolor="#333", linewidth=0.6, hatch=look.hatch)  # fmt: skip
                if few:
                    _label(axes, (start, end, word), lane, whole, taken)
                else:
                    axes.annotate(word, (end, -lane), (3, 0), textcoords="offset points", va="center",
                                  fontsize=6)  # fmt: skip
        axes.set_yticks([-lane for lane in range(len(rows))], list(rows))
        axes.set_xlim(0, whole * (1 if few else 1.12))
        axes.set_ylim(-len(rows) + (0.15 if few else 0.4), 0.45)
        axes.set(xlabel=x)
        axes.set_title(title, pad=TITLE_PAD if marks else 8)
        axes.grid(visible=False, axis="y")
        mark_moments(axes, marks)
        _legend(axes, rows, height)
        return Picture.of(figure, alt)


def _label(axes: Any, span: Span, lane: int, whole: float, taken: list[float]) -> None:
    """Write a bar's word into it, or below it; `taken` is the right end of the labels on each level below."""
    start, end, word = span
    wide = LETTER * (len(word) + 1) * whole
    middle = (start + end) / 2
    if end - start > wide:
        card = {"facecolor": "#fff", "edgecolor": "none", "pad": 1.5}
        axes.text(middle, -lane, word, ha="center", va="center", fontsize=9, bbox=card)
        return
    left = min(max(middle - wide / 2, 0), whole - wide)
    level = next((n for n, until in enumerate(taken) if until <= left), len(taken) - 1)
    taken[level] = left + wide
    where = -lane + LEVELS[level]
    axes.text(left + wide / 2, where, word, ha="center", va="center", fontsize=8)
    axes.plot((middle, middle), (-lane - 0.25, where + 0.06), color="#333", linewidth=0.6)


def _legend(axes: Any, rows: Mapping[str, Sequence[Span]], height: float) -> None:
    """Below the axis: each meaning that occurs, with the words that have it."""
    from matplotlib.patches import Patch

    words = list(dict.fromkeys(word for spans in rows.values() for _, _, word in spans))
    keys = []
    for look in LOOKS:
        if shown := [word for word in words if look_of(word) == look]:
            label = f"{look.meaning}: {', '.join(shown)}"
            keys.append(Patch(facecolor=look.colour, edgecolor="#333", hatch=look.hatch, label=label))
    place: Any = {"loc": "upper left", "bbox_to_anchor": (0, -0.55 / (height * 0.77))}
    axes.legend(handles=keys, frameon=False, ncols=3, fontsize=9, **place)
