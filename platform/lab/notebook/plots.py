"""Charts that read without colour: by line style, marker, hatch, and words beside them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from lab.notebook.picture import Picture

mpl.use("svg")
# The first use on a machine builds a cache of fonts, and would say so in a cell.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

STYLES = (("-", "o", "#1f4e79"), ("--", "s", "#b35900"), (":", "^", "#3a3a3a"), ("-.", "D", "#7b3f8c"))
SHADES = ("#cfe3f5", "#f2c9a8", "#e4e4e4", "#dcc8e8", "#f7f0b5")
HATCHES = ("", "///", "||", "xx", "\\\\")
SETTINGS: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "lab", "font.family": "sans-serif", "font.size": 11,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e5e5e5",
    "axes.axisbelow": True, "figure.facecolor": "white",
}  # fmt: skip

Line = tuple[Sequence[float], Sequence[float]]
Span = tuple[float, float, str]
"""From, to, and the word for what was seen meanwhile."""


def canvas(height: float = 3.2) -> tuple[Any, Any]:
    """A figure and its axes; inches."""
    from matplotlib import pyplot

    with mpl.rc_context(SETTINGS):
        return pyplot.subplots(figsize=(8.2, height))


def lines(
    series: Mapping[str, Line], *, alt: str, title: str, x: str, y: str, log: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> Picture:  # fmt: skip
    """Lines over a common axis; `marks` are moments with a word."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas()
        for (label, (xs, ys)), (dash, marker, colour) in zip(series.items(), STYLES, strict=False):
            every = max(1, len(xs) // 12)
            axes.plot(xs, ys, dash, marker=marker, markevery=every, color=colour, label=label)
        if log:
            axes.set_xscale("log")
            axes.set_yscale("log")
        _moments(axes, marks)
        axes.set(xlabel=x, ylabel=y, title=title)
        axes.legend(frameon=False, loc="best")
        return Picture.of(figure, alt)


def bars(
    groups: Mapping[str, Mapping[str, float]], *, alt: str, title: str, y: str, log: bool = False
) -> Picture:
    """Groups of bars: {group: {bar: value}}, each bar with its value above it."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas()
        names = list(dict.fromkeys(name for group in groups.values() for name in group))
        width = 0.8 / len(names)
        for number, name in enumerate(names):
            places = [place + number * width for place, group in enumerate(groups.values()) if name in group]
            values = [group[name] for group in groups.values() if name in group]
            drawn = axes.bar(places, values, width * 0.92, label=name, color=SHADES[number % 5],
                             edgecolor="#333", hatch=HATCHES[number % 5])  # fmt: skip
            axes.bar_label(drawn, fmt="{:.3g}", padding=2)
        axes.set_xticks([p + 0.4 - width / 2 for p in range(len(groups))], list(groups))
        if log:
            axes.set_yscale("log")
        axes.set(ylabel=y, title=title)
        axes.margins(y=0.18)
        axes.grid(visible=False, axis="x")
        if len(names) > 1:
            axes.legend(frameon=False)
        return Picture.of(figure, alt)


def boxes(groups: Mapping[str, Mapping[str, Sequence[float]]], *, alt: str, title: str, y: str) -> Picture:
    """Distributions side by side: {group: {series: values}}; box, median, and whiskers from 5 to 95 %."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas(3.6)
        names = list(dict.fromkeys(name for group in groups.values() for name in group))
        for number, name in enumerate(names):
            values = [group[name] for group in groups.values()]
            places = [place + 0.3 * number for place in range(len(values))]
            drawn = axes.boxplot(values, positions=places, widths=0.24, whis=(5, 95), showfliers=False,
                                 patch_artist=True, medianprops={"color": "#111"})  # fmt: skip
            for box in drawn["boxes"]:
                box.set(facecolor=SHADES[number], hatch=HATCHES[number], label=name)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(unique.values(), unique.keys(), frameon=False)
        axes.set_xticks([place + 0.15 for place in range(len(groups))], list(groups))
        axes.set_yscale("log")
        for axis_format in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            axis_format(lambda value, _: f"{value:g}")
        axes.tick_params(which="minor", labelsize=8)
        axes.set(ylabel=y, title=title)
        return Picture.of(figure, alt)


def lanes(
    rows: Mapping[str, Sequence[Span]], *, alt: str, title: str, x: str = "seconds",
    marks: Sequence[tuple[float, str]] = (),
) -> Picture:  # fmt: skip
    """A time line: one lane for each who was watched, with words for what was seen."""
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas(1.1 + 0.55 * len(rows))
        words = list(dict.fromkeys(word for spans in rows.values() for _, _, word in spans))
        for lane, spans in enumerate(rows.values()):
            for start, end, word in spans:
                look = words.index(word) % 5
                axes.barh(-lane, end - start, left=start, height=0.7, color=SHADES[look], edgecolor="#333",
                          linewidth=0.6, hatch=HATCHES[look])  # fmt: skip
        from matplotlib.patches import Patch

        keys = [Patch(facecolor=SHADES[i % 5], edgecolor="#333", hatch=HATCHES[i % 5], label=word)
                for i, word in enumerate(words)]  # fmt: skip
        axes.set_yticks([-lane for lane in range(len(rows))], list(rows))
        axes.set(xlabel=x)
        axes.set_title(title, pad=26 if marks else 8)
        axes.grid(visible=False, axis="y")
        _moments(axes, marks)
        axes.legend(handles=keys, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        return Picture.of(figure, alt)


def _moments(axes: Any, marks: Sequence[tuple[float, str]]) -> None:
    for number, (moment, word) in enumerate(marks):
        axes.axvline(moment, color="#333", linewidth=1, linestyle=(0, (4, 3)))
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(word, (moment, 1), xytext=(3, 3 + 11 * (number % 2)), fontsize=9, **place)
