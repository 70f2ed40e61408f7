"""Draw boxes, arrows and life lines as SVG."""

from collections.abc import Sequence

from lab.text import as_html

HALO = 'stroke="#fff" stroke-opacity=".8" stroke-width="3" paint-order="stroke"'
"""Letters stay readable where a line runs under them."""
FONT = 'font-family="system-ui, sans-serif" fill="#111"'
GOOD, BAD = "#1f4e79", "#a00000"
"""Edges of what works and of what does not; the pictures of docs/concepts have the same two colours."""


class Drawing:
    """An SVG image that grows with each element."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def box(self, x: int, y: int, w: int, h: int, lines: Sequence[str], *, good: bool = True) -> None:
        """Add a box with a headline and smaller lines. A box that is not `good` has a thick dashed edge."""
        edge = f'stroke="{GOOD}"' if good else f'stroke="{BAD}" stroke-width="3" stroke-dasharray="7 4"'
        fill = "#eef5fb" if good else "#fff1ec"
        self._parts.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" {edge}/>')
        for number, line in enumerate(lines):
            size = 'font-size="14" font-weight="600"' if number == 0 else 'font-size="11"'
            self.text(x + w / 2, y + 19 + 15 * number, line, size, "middle")

    def text(
        self,
        x: float,
        y: float,
        said: str,
        size: str = 'font-size="11"',
        anchor: str = "start",
        more: str = "",
    ) -> None:
        """Add a line of text."""
        look = f'{size} text-anchor="{anchor}" {more} {FONT}'
        self._parts.append(f'<text x="{x:g}" y="{y:g}" {look}>{as_html(said)}</text>')

    def arrow(
        self, x1: float, y1: float, x2: float, y2: float, said: str = "", *, dashed: bool = False
    ) -> None:
        """Add an arrow with a label above its middle."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="#333" stroke-width="1.4"{dash}'
            ' marker-end="url(#head)"/>'
        )
        if said:
            self.text((x1 + x2) / 2, (y1 + y2) / 2 - 5, said, anchor="middle", more=HALO)

    def life_line(self, x: float, top: float, bottom: float) -> None:
        """Add a thin vertical line."""
        self._parts.append(
            f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}" stroke="#999" stroke-dasharray="2 4"/>'
        )

    def svg(self) -> str:
        """The image."""
        head = (
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
            ' orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#333"/></marker></defs>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' width="{self.width}" height="{self.height}">{head}{"".join(self._parts)}</svg>'
        )
