"""Show pictures and tables about the running system.

A picture is SVG with alt text on a white card, so that it is readable in a dark and in a light
JupyterLab. A table is HTML, and text where HTML is not available.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from lab.text import as_html, visible

CARD = "background:#fff;border:1px solid #bbb;border-radius:6px;padding:6px;max-width:100%"


@dataclass(frozen=True)
class Picture:
    """An SVG image; `alt` describes what it shows."""

    svg: str
    alt: str
    title: str = ""

    @classmethod
    def of(cls, figure: Any, alt: str, title: str = "") -> "Picture":
        """Make a picture from a Matplotlib figure, and close the figure."""
        from matplotlib import pyplot

        out = BytesIO()
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
        return cls(out.getvalue().decode(), alt, title)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        data = base64.b64encode(self.svg.encode()).decode()
        image = f'<img alt="{as_html(self.alt)}" style="{CARD}" src="data:image/svg+xml;base64,{data}">'
        caption = f"<figcaption>{as_html(self.title)}</figcaption>" if self.title else ""
        return {
            "text/html": f'<figure style="margin:0">{image}{caption}</figure>',
            "text/plain": f"Picture: {visible(self.alt)}",
        }


@dataclass(frozen=True)
class Table:
    """Rows under heads, with a caption."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]] = field(default_factory=list)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": self.text()}

    def _html(self) -> str:
        def cells(tag: str, row: Sequence[object]) -> str:
            style = ' style="text-align:left;vertical-align:top"'
            return "".join(f"<{tag}{style}>{as_html(cell)}</{tag}>" for cell in row)

        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        caption = f'<caption style="text-align:left">{as_html(self.caption)}</caption>'
        heads = f"<thead><tr>{cells('th', self.heads)}</tr></thead>" if any(self.heads) else ""
        return f'<table style="min-width:36em">{caption}{heads}<tbody>{body}</tbody></table>'

    def text(self) -> str:
        """Return the table as lines of text."""
        shown = [self.heads, *self.rows] if any(self.heads) else self.rows
        grid = [[visible(cell).replace("\n", " ") for cell in row] for row in shown]
        widths = [max(len(row[column]) for row in grid) for column in range(len(self.heads))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in grid
        ]
        return "\n".join([visible(self.caption), *(line.rstrip() for line in lines)])

    __str__ = text
