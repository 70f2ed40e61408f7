"""The terminal: a console that prints text literally, and tables that never cut an address.

Markup, emoji codes and highlighting are off, because most of the printed text comes from outside ./lab.
A text of ./lab itself that should stand out gets a `style`.
"""

import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lab.errors import LabError
from lab.text import never_refuse, visible

NARROWEST, WIDEST = 20, 1000
GAP = 2
LEAST = 14
"""The fewest columns in which a cell with many words is readable."""


class Console(RichConsole):
    """Console that prints every string literally and makes control characters visible."""

    def __init__(self, **options: Any) -> None:
        _ignore_impossible_size()
        if "file" not in options:
            never_refuse()
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @property
    def live(self) -> bool:
        """Whether the terminal can draw a line again in its place."""
        return self.is_terminal and not self.is_dumb_terminal

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a string safe to print; rich calls this for every string and every cell of a table."""
        return super().render_str(visible(text), **(options | {"markup": False, "emoji": False}))

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """Make a `Text` object safe, too, such as a line of a progress table."""
        for segment in super().render(renderable, options):
            shown = segment if segment.control else Segment(visible(segment.text), segment.style)
            yield shown


UNANSWERED = (click.Abort, RuntimeError, OSError, UnicodeError)
"""What click raises when standard input ends, was closed at the start (RuntimeError), or is not text."""


def confirm(question: str) -> None:
    """Return if the user agrees. Raises click.Abort for a no, and LabError when there is no user to ask."""
    try:
        click.confirm(question, abort=True)
    except UNANSWERED:
        _refuse_without_user(question, "--yes")
        raise


def prompt(question: str, option: str) -> str:
    """Return the user's answer. Raises LabError, which names `option`, when there is no user to ask."""
    try:
        answer: str = click.prompt(question)
    except UNANSWERED:
        _refuse_without_user(question, option)
        raise
    return answer


def _refuse_without_user(question: str, option: str) -> None:
    """Raise LabError unless standard input is a terminal: a script or a job sends no answer."""
    if sys.stdin is None or not sys.stdin.isatty():
        if sys.stdin is not None:
            click.echo()  # ends the line of the question
        raise LabError(
            f'The question "{question}" got no answer that can be used, so nothing was changed.'
            f" Answer it in the command: {option}"
        ) from None


def flush_output() -> None:
    """Write what Python still holds back. Raises OSError, which Python would print as a traceback later."""
    if sys.stdout is not None:
        sys.stdout.flush()


def output_failed(error: OSError) -> int:
    """Report on stderr that stdout cannot be written, and return the exit code.

    A closed pipe, as behind `| head`, or an output that was closed before, is no fault of the user's, so
    nothing is printed about it.
    """
    with suppress(OSError, ValueError):  # what is still held back is lost; Python would try it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if error.errno not in (errno.EPIPE, errno.EBADF):
        why = error.strerror or str(error)
        with suppress(OSError):
            os.write(2, f"The output cannot be written: {why}. Free space, or send it elsewhere.\n".encode())
    return 1


def _ignore_impossible_size() -> None:
    """Remove COLUMNS and LINES when they are not numbers: rich would raise an error. Limit COLUMNS."""
    for name in ("COLUMNS", "LINES"):
        size = os.environ.get(name, "")
        if size and not re.fullmatch("[1-9][0-9]{0,5}", size):
            del os.environ[name]
        elif size and name == "COLUMNS":
            os.environ[name] = str(min(max(int(size), NARROWEST), WIDEST))


def print_rows(
    console: Console,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    note: str = "",
) -> None:
    """Print a table; on a narrow terminal, print a block of lines for each row instead.

    `right` names the columns of figures. Cells of the columns in `whole` (addresses, names, commands to copy)
    are never wrapped; all others are. `note` is printed below the table.
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
    """Return the number of columns that the table needs at least."""
    widths = []
    for number, head in enumerate(heads):
        longest = max(
            (cell_len(line) for row in cells for line in [*row[number].splitlines(), head]), default=0
        )
        widths.append(longest if head in whole else min(longest, LEAST))
    return sum(widths) + GAP * (len(widths) - 1)
