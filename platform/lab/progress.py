"""Show the progress of long steps: a live table on a terminal, plain lines elsewhere."""

import time
from types import TracebackType

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lab.terminal import Console

PLAIN_SECONDS = 10.0
"""Without a terminal, a running step prints a line this often."""


class Progress:
    """Steps that run at the same time, each with a text that says what it does or waits for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: dict[str, float] = {}
        self._texts: dict[str, str] = {}
        self._printed_at: dict[str, float] = {}
        self._spinner = Spinner("dots")
        self._live = (
            Live(get_renderable=self._table, console=console, transient=True) if console.live else None
        )

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, step: str, text: str) -> None:
        """Show that `step` now does `text`; the first call for a step starts it."""
        now = time.monotonic()
        new = step not in self._began
        self._began.setdefault(step, now)
        self._texts[step] = text
        if not self._live and (new or now - self._printed_at[step] > PLAIN_SECONDS):
            self._printed_at[step] = now
            self._print(step, f"{text} ({now - self._began[step]:.0f} s)" if not new else text)

    def done(self, step: str, text: str = "done") -> None:
        """End `step`; its line stays on the screen."""
        began = self._began.pop(step, time.monotonic())
        self._texts.pop(step, None)
        self._print(step, f"{text} ({time.monotonic() - began:.1f} s)")

    def _print(self, step: str, text: str) -> None:
        self._console.print(Text(f"  {step:<16} {text}"), soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        for step, text in list(self._texts.items()):
            began = self._began.get(step, now)
            table.add_row("", self._spinner, Text(f"{step:<14}"), Text(f"{text} ({now - began:.0f} s)"))
        return table
