"""The terminal: a console that prints text literally, and tables that never cut an address.

Markup, emoji codes and highlighting are off, for most of what is printed comes from outside. What is ours and
should stand out is given a `style`.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lab.text import never_refuse, visible

NARROWEST, WIDEST = 20, 1000
GAP = 2
LEAST = 14
"""Columns that a cell with many words needs to be readable."""


class Console(RichConsole):
    """Prints every string as it is, whatever looks like markup in it; control characters become visible."""

    def __init__(self, **options: Any) -> None:
        _believe_size()
        if "file" not in options:
            never_refuse()
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @property
    def live(self) -> bool:
        """Whether lines can be drawn again in their place."""
        return self.is_terminal and not self.is_dumb_terminal

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed, and every cell of a table, comes through here."""
        return super().render_str(visible(text), **(options | {"markup": False, "emoji": False}))

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """Also what came in as a `Text` of its own, such as the line of a progress table."""
        for segment in super().render(renderable, options):
            shown = segment if segment.control else Segment(visible(segment.text), segment.style)
            yield shown


def _believe_size() -> None:
    """Forget a size that is none: rich reads these variables as numbers and would stop at the first."""
    for name in ("COLUMNS", "LINES"):
        given = os.environ.get(name, "")
        if given and not re.fullmatch("[1-9][0-9]{0,5}", given):
            del os.environ[name]
        elif given and name == "COLUMNS":
            os.environ[name] = str(min(max(int(given), NARROWEST), WIDEST))


def print_rows(
    console: Console,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    note: str = "",
) -> None:
    """Print a table, or one block of lines for each row where the table would not fit.

    `right` names the columns of figures. Cells of the columns in `whole` (addresses, names, commands to copy)
    stand on one line; all others wrap. `note` is printed below.
    """
    cells = [[visible(cell).replace("\n", " ") if head in whole else visible(cell) for head, cell in
              zip(heads, row, strict=True)] for row in rows]  # fmt: skip
    if _needed(heads, cells, whole) > console.width:
        for row in cells:
            console.print(row[0], soft_wrap=True)
            for head, cell in zip(heads[1:], row[1:], strict=True):
                console.print(f"  {head}: {cell}" if head else f"  {cell}", soft_wrap=head in whole)
    else:
        table = Table(box=None, pad_edge=False, show_header=any(heads))
        for head in heads:
            table.add_column(
                head, justify="right" if head in right else "left", overflow="fold", no_wrap=head in whole
            )
        for row in cells:
            table.add_row(*row)
        console.print(table)
    if note:
        console.print(note)


def _needed(heads: Sequence[str], cells: Sequence[Sequence[str]], whole: Sequence[str]) -> int:
    """Columns of the terminal that the table takes at least."""
    widths = []
    for number, head in enumerate(heads):
        longest = max(
            (cell_len(line) for row in cells for line in [*row[number].splitlines(), head]), default=0
        )
        widths.append(longest if head in whole else min(longest, LEAST))
    return sum(widths) + GAP * (len(widths) - 1)
