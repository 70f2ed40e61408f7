"""Charts of the class as SVG, without styles or scripts of their own: web/class.css has the colours."""

import time
from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BELOW = 640, 190, 44, 26
SHORTEST_SECONDS = 600.0
MOST_POINTS = 300
"""More points than this cannot be told apart at this width."""


def bar(count: int, total: int) -> str:
    """Return a horizontal bar for a part of a whole."""
    width = round(100 * count / total) if total else 0
    return (
        f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        f' aria-label="{count} of {total}">'
        f'<rect class="rest" width="100" height="10"/><rect class="part" width="{width}" height="10"/></svg>'
    )


def passes_over_time(passes: Sequence[float], now: float) -> str:
    """Return a line that shows how many steps the class has passed, from the first pass until now."""
    if not passes:
        return "<p>No step is passed yet.</p>"
    begin = min(passes[0], now - SHORTEST_SECONDS)
    length, most = max(now - begin, 1.0), len(passes)
    inner_width, inner_height = WIDTH - LEFT - 8, HEIGHT - BELOW - 8

    def x(moment: float) -> float:
        return round(LEFT + inner_width * min(1.0, max(0.0, (moment - begin) / length)), 1)

    def y(count: float) -> float:
        return round(8 + inner_height * (1 - count / most), 1)

    each = max(1, most // MOST_POINTS)
    points = [f"M{x(begin)} {y(0)}"]
    for number, moment in enumerate(passes, 1):
        if number % each == 0 or number == most:
            points.append(f"H{x(moment)}V{y(number)}")
    points.append(f"H{x(now)}")
    labels = "".join(
        f'<text x="{LEFT - 6}" y="{y(count) + 4}" text-anchor="end">{count}</text>' for count in (0, most)
    ) + "".join(
        f'<text x="{x(moment)}" y="{HEIGHT - 8}" text-anchor="{anchor}">{_clock(moment)}</text>'
        for moment, anchor in ((begin, "start"), (now, "end"))
    )
    told = f"{most} passes from {_clock(begin)} to {_clock(now)}"
    return (
        f'<svg class="line" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">'
        f"<title>{told}</title>"
        f'<path class="axis" d="M{LEFT} 8V{HEIGHT - BELOW}H{WIDTH - 8}"/>'
        f'<path class="data" d="{"".join(points)}"/>{labels}</svg>'
    )


def _clock(moment: float) -> str:
    return time.strftime("%H:%M", time.localtime(moment))
