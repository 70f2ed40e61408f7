"""Draw the storm as one SVG file: faults as bars above writes, errors, lag, and metrics if there are any."""

from collections.abc import Sequence

from lab.storm.history import History
from lab.storm.measured import Series
from lab.text import as_html

WIDTH, LEFT, ROW = 1100, 130, 16
PLOT, STRIP = 120, 60
INK, GOOD, BAD, LAG, BAR = "#222222", "#3b7ddd", "#c0392b", "#8e6c00", "#d9dfe7"


def per_second(history: History) -> tuple[list[int], list[int]]:
    """Return the answered and the failed changes in each second of the storm."""
    seconds = max(1, int(history.ended - history.began) + 1)
    done, failed = [0] * seconds, [0] * seconds
    for write in history.writes:
        second = int(write.ended - history.began)
        if 0 <= second < seconds and write.kind != "refuse":
            (done if write.outcome == "done" else failed)[second] += 1
    return done, failed


def svg(history: History, headline: str, measured: Sequence[Series] = ()) -> str:
    """Return the picture. Failures are hatched and the lag is dashed, so it is readable without colours."""
    seconds = max(1.0, history.ended - history.began)
    done, failed = per_second(history)
    most = max(1, *(a + b for a, b in zip(done, failed, strict=True)))
    deepest = max(1, *(sample.lag or 0 for sample in history.samples), 1)
    bars_height = ROW * len(history.spells) + 10
    top = 60
    height = top + bars_height + 2 * PLOT + 80 + len(measured) * (STRIP + 12)

    def x(second: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * second / seconds

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{INK}">',
        f"<title>{as_html(headline)}</title>",
        f"<desc>Bars: each fault while it was active. Below: changes per second, then the lag in events. "
        f"Most changes in a second: {most}; largest lag: {deepest} events.</desc>",
        '<defs><pattern id="failed" width="4" height="4" patternUnits="userSpaceOnUse">'
        f'<path d="M0 4L4 0" stroke="{BAD}" stroke-width="2"/></pattern></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{as_html(headline)}</text>',
    ]
    for row, spell in enumerate(history.spells):
        y, start = top + row * ROW, spell.began - history.began
        length = max((spell.ended or history.ended) - spell.began, 0.4)
        label = f"{spell.fault} {spell.unit}"
        parts.append(
            f'<rect x="{x(start):.1f}" y="{y}" width="{x(length) - LEFT:.1f}" height="{ROW - 3}"'
            f' fill="{BAR}" stroke="{INK}" stroke-width="0.5"><title>{as_html(label)}: {length:.1f} s'
            f'</title></rect><text x="4" y="{y + 11}" font-size="11">{as_html(label)}</text>'
        )
    base = top + bars_height + PLOT
    width = x(1) - LEFT
    for second, (good, bad) in enumerate(zip(done, failed, strict=True)):
        tall, wrong = PLOT * good / most, PLOT * bad / most
        for lower, upper, fill in ((0.0, tall, GOOD), (tall, tall + wrong, "url(#failed)")):
            parts.append(
                f'<rect x="{x(second):.1f}" y="{base - upper:.1f}" width="{width:.2f}"'
                f' height="{upper - lower:.1f}" fill="{fill}"/>'
            )
    parts.append(f'<text x="4" y="{base - PLOT / 2}">changes/s (max {most})</text>')
    floor = base + 20 + PLOT
    points = " ".join(
        f"{x(s.time - history.began):.1f},{floor - PLOT * min(s.lag, deepest) / deepest:.1f}"
        for s in history.samples
        if s.lag is not None
    )
    parts.append(f'<polyline points="{points}" fill="none" stroke="{LAG}" stroke-dasharray="5 2"/>')
    parts.append(f'<text x="4" y="{floor - PLOT / 2}">lag (max {deepest})</text>')
    for series in measured:
        floor += STRIP + 12
        parts += _strip(series, floor, [x(at - history.began) for at, _ in series.points])
    for second in range(0, int(seconds) + 1, max(10, int(seconds) // 12)):
        parts.append(f'<text x="{x(second):.1f}" y="{floor + 18}">{second} s</text>')
    parts.append(
        f'<text x="{LEFT}" y="{floor + 38}">full: answered, hatched: failed, dashed: lag</text></svg>'
    )
    return "\n".join(parts) + "\n"


def _strip(series: Series, floor: int, places: Sequence[float]) -> list[str]:
    """Return the parts of one metric below the others; a moment that was not measured is a gap."""
    most = max((value for _, value in series.points if value is not None), default=0.0)
    parts = [f'<text x="4" y="{floor - STRIP / 2}">{as_html(series.name)}</text>',
             f'<text x="4" y="{floor - STRIP / 2 + 14}">(max {most:.3g})</text>']  # fmt: skip
    line: list[str] = []
    for place, (_, value) in zip([*places, 0.0], [*series.points, (0.0, None)], strict=True):
        if value is not None:
            line.append(f"{place:.1f},{floor - STRIP * value / (most or 1):.1f}")
        elif line:
            parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{INK}"/>')
            line = []
    return parts
