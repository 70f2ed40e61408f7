"""Draw charts that are readable without colour: by line style, marker, hatch and labels."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from lab.notebook.picture import Picture

mpl.use("svg")
# The first use on a machine builds a cache of fonts, and would print a message about it in a cell.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

STYLES = (("-", "o", "#00665a"), ("--", "s", "#b35900"), (":", "^", "#3a3a3a"), ("-.", "D", "#7b3f8c"))
"""Dash, marker and colour of each line. A series is neither good nor bad, so it has no colour of these."""
SHADES = ("#cfe9cf", "#e3d9c6", "#c3d0d6", "#d9e3b4", "#c9c4b5", "#b9dcd4", "#d6c9bd", "#eef0e2")
"""Fills for series, which stand for stores or ways; those of `timeline` stand for outcomes and differ."""
HATCHES = ("", "///", "||", "xx", "\\\\", "...", "++", "oo")
TITLE_PAD = 28
"""Points between a title and a chart with two rows of words for moments."""
SETTINGS: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "lab", "font.family": "sans-serif", "font.size": 11,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e5e5e5",
    "axes.axisbelow": True, "figure.facecolor": "white",
}  # fmt: skip

Line = tuple[Sequence[float], Sequence[float]]


def canvas(height: float = 3.2) -> tuple[Any, Any]:
    """Return a new figure and its axes; sizes are in inches."""
    from matplotlib import pyplot

    with mpl.rc_context(SETTINGS):
        return pyplot.subplots(figsize=(8.2, height))


def lines(
    series: Mapping[str, Line], *, alt: str, title: str, x: str, y: str,
    marks: Sequence[tuple[float, str]] = (),
) -> Picture:  # fmt: skip
    """Draw lines over a common axis; `marks` are moments with a label."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas()
        for (label, (xs, ys)), (dash, marker, colour) in zip(series.items(), STYLES, strict=False):
            every = max(1, len(xs) // 12)
            axes.plot(xs, ys, dash, marker=marker, markevery=every, color=colour, label=label)
        mark_moments(axes, marks)
        axes.set(xlabel=x, ylabel=y)
        axes.set_title(title, pad=TITLE_PAD if marks else 8)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        return Picture.of(figure, alt)


def bars(
    groups: Mapping[str, Mapping[str, float]], *, alt: str, title: str, y: str, log: bool = False
) -> Picture:
    """Draw groups of bars, {group: {bar: value}}, each bar with its value above it."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas()
        names = list(dict.fromkeys(name for group in groups.values() for name in group))
        width = 0.8 / len(names)
        for number, name in enumerate(names):
            places = [place + number * width for place, group in enumerate(groups.values()) if name in group]
            values = [group[name] for group in groups.values() if name in group]
            drawn = axes.bar(places, values, width * 0.92, label=name, color=SHADES[number % 8],
                             edgecolor="#333", hatch=HATCHES[number % 8])  # fmt: skip
            axes.bar_label(drawn, fmt=_plain, padding=2)
        axes.set_xticks([p + 0.4 - width / 2 for p in range(len(groups))], list(groups))
        if log:
            _log(axes)
        axes.set(ylabel=y, title=title)
        axes.margins(y=0.18)
        axes.grid(visible=False, axis="x")
        if len(names) > 1:
            axes.legend(frameon=False)
        return Picture.of(figure, alt)


def boxes(
    groups: Mapping[str, Mapping[str, Sequence[float]]], *, alt: str, title: str, y: str, log: bool = False
) -> Picture:
    """Draw distributions, {group: {series: values}}: box, median, and whiskers from 5 to 95 %."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas(3.6)
        names = list(dict.fromkeys(name for group in groups.values() for name in group))
        width = min(0.4, 0.8 / len(names))
        for number, name in enumerate(names):
            values = [group[name] for group in groups.values()]
            places = [place + (number - (len(names) - 1) / 2) * width for place in range(len(values))]
            drawn = axes.boxplot(values, positions=places, widths=width * 0.8, whis=(5, 95), showfliers=False,
                                 patch_artist=True, medianprops={"color": "#111"})  # fmt: skip
            for box in drawn["boxes"]:
                box.set(facecolor=SHADES[number], hatch=HATCHES[number], label=name)
        if len(names) > 1:
            handles, labels = axes.get_legend_handles_labels()
            unique = dict(zip(labels, handles, strict=True))
            place: Any = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
            axes.legend(unique.values(), unique.keys(), frameon=False, **place)
        axes.set_xticks(range(len(groups)), list(groups))
        axes.grid(visible=False, axis="x")
        axes.set(ylabel=y, title=title)
        if log:
            _log(axes)
        else:
            axes.set_ylim(bottom=0)
        return Picture.of(figure, alt)


def _log(axes: Any) -> None:
    """Set a logarithmic scale with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))


def _plain(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 1000 else f"{value:.3g}"


def mark_moments(axes: Any, marks: Sequence[tuple[float, str]]) -> None:
    """Draw a vertical line with a word at each moment."""
    for number, (moment, word) in enumerate(marks):
        axes.axvline(moment, color="#333", linewidth=1, linestyle=(0, (4, 3)))
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(word, (moment, 1), xytext=(3, 3 + 11 * (number % 2)), fontsize=9, **place)
