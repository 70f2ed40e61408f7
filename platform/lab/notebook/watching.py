"""Look at something again and again while something else happens, and keep what was seen."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.notebook import plots
from lab.notebook.picture import Picture

EVERY_SECONDS = 0.05


class Seen:
    """What was seen by whom: (seconds since the start, value); and moments with a word."""

    def __init__(self, names: Mapping[str, Callable[[], Any]]) -> None:
        self.values: dict[str, list[tuple[float, Any]]] = {name: [] for name in names}
        self.marks: list[tuple[float, str]] = []
        self._began = time.perf_counter()

    def now(self) -> float:
        """Seconds since the watch began."""
        return time.perf_counter() - self._began

    def mark(self, word: str) -> None:
        """Name this moment."""
        self.marks.append((self.now(), word))

    def words(self, name: str) -> list[str]:
        """Each different thing that was seen, in order, repeats left out."""
        found: list[str] = []
        for _, value in self.values[name]:
            if found[-1:] != [str(value)]:
                found.append(str(value))
        return found

    def time_line(self, title: str, alt: str) -> Picture:
        """Lanes of words."""
        rows = {}
        for name, values in self.values.items():
            spans: list[plots.Span] = []
            for (at, value), after in zip(values, [*[t for t, _ in values[1:]], self.now()], strict=True):
                if spans and spans[-1][2] == str(value):
                    spans[-1] = (spans[-1][0], after, str(value))
                else:
                    spans.append((at, after, str(value)))
            rows[name] = spans
        return plots.lanes(rows, alt=alt, title=title, marks=self.marks)

    def chart(self, title: str, alt: str, y: str) -> Picture:
        """Lines of numbers; what could not be seen leaves a gap."""
        series = {
            name: ([t for t, v in values if v is not None], [v for _, v in values if v is not None])
            for name, values in self.values.items()
        }
        return plots.lines(series, alt=alt, title=title, x="seconds", y=y, marks=self.marks)


@contextmanager
def watching(looks: Mapping[str, Callable[[], Any]], every: float = EVERY_SECONDS) -> Iterator[Seen]:
    """Call each of `looks` again and again, each in a thread of its own, until the block ends."""
    seen = Seen(looks)
    ended = threading.Event()

    def go_on(name: str, look: Callable[[], Any]) -> None:
        while not ended.is_set():
            at = seen.now()
            seen.values[name].append((at, look()))
            ended.wait(every)

    threads = [threading.Thread(target=go_on, args=pair, daemon=True) for pair in looks.items()]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join(10)
