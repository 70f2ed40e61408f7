"""Record values repeatedly while something else happens."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.notebook import plots, timeline
from lab.notebook.picture import Picture
from lab.probes.unavailable import UNAVAILABLE

EVERY_SECONDS = 0.05


class Seen:
    """The recorded values by name, as (seconds since the start, value), and marked moments."""

    def __init__(self, names: Mapping[str, Callable[[], Any]]) -> None:
        self.values: dict[str, list[tuple[float, Any]]] = {name: [] for name in names}
        self.marks: list[tuple[float, str]] = []
        self.ended: float | None = None
        self._began = time.perf_counter()

    def now(self) -> float:
        """Return the seconds since the recording began."""
        return time.perf_counter() - self._began

    def mark(self, word: str) -> None:
        """Mark this moment with a word."""
        self.marks.append((self.now(), word))

    def words(self, name: str) -> list[str]:
        """Return the recorded values in order, without repeats."""
        found: list[str] = []
        for _, value in self.values[name]:
            if found[-1:] != [str(value)]:
                found.append(str(value))
        return found

    def between(self, name: str, first: str, last: str) -> list[Any]:
        """Return the values from one marked moment to another."""
        at = {word: moment for moment, word in reversed(self.marks)}
        return [value for moment, value in self.values[name] if at[first] <= moment < at[last]]

    def spans(self, name: str) -> list[timeline.Span]:
        """From when to when each thing was seen."""
        spans: list[timeline.Span] = []
        values = self.values[name]
        for (at, value), after in zip(values, [*[t for t, _ in values[1:]], self._end()], strict=True):
            if spans and spans[-1][2] == str(value):
                spans[-1] = (spans[-1][0], after, str(value))
            else:
                spans.append((at, after, str(value)))
        return spans

    def time_line(self, title: str) -> Picture:
        """Draw the values as a time line with lanes."""
        rows = {name: self.spans(name) for name in self.values}
        words = [
            f"{name}: {', then '.join(f'{word} until {end:.1f} s' for _, end, word in spans)}"
            for name, spans in rows.items()
        ]
        return timeline.lanes(rows, alt=self._alt(title, words), title=title, marks=self.marks)

    def chart(self, title: str, y: str) -> Picture:
        """Draw the numbers as lines; a missing value leaves a gap."""
        series = {
            name: ([t for t, _ in values], [math.nan if v is None else v for _, v in values])
            for name, values in self.values.items()
        }
        words = [f"{name}: {self._course_of(name)}" for name in self.values]
        return plots.lines(
            series, alt=self._alt(title, words), title=title, x="seconds", y=y, marks=self.marks
        )

    def most(self, name: str) -> int:
        """Return the highest number that was seen; 0 when there was none."""
        return max((value for _, value in self.values[name] if value is not None), default=0)

    def _course_of(self, name: str) -> str:
        """Describe a line of numbers."""
        known = [(at, value) for at, value in self.values[name] if value is not None]
        if not known:
            return "nothing seen"
        (_, first), (_, last) = known[0], known[-1]
        at, most = max(known, key=lambda pair: pair[1])
        gaps = sum(end - start for start, end, word in self.spans(name) if word == "None")
        gap = f", unknown for {gaps:.1f} s" if gaps else ""
        end = "when last seen" if self.values[name][-1][1] is None else "at the end"
        return f"{first:g} at first, at most {most:g} after {at:.1f} s, {last:g} {end}{gap}"

    def _alt(self, title: str, said: list[str]) -> str:
        moments = [f"{word} at {at:.1f} s" for at, word in self.marks]
        return f"{title}. {'. '.join([*said, ', '.join(moments)] if moments else said)}."

    def _end(self) -> float:
        return self.ended if self.ended is not None else self.now()


@contextmanager
def watching(looks: Mapping[str, Callable[[], Any]], every: float = EVERY_SECONDS) -> Iterator[Seen]:
    """Call each of `looks` repeatedly, each in a separate thread, until the block ends.

    None is recorded when a server does not answer.
    """
    seen = Seen(looks)
    ended = threading.Event()

    def go_on(name: str, look: Callable[[], Any]) -> None:
        while not ended.is_set():
            at = seen.now()
            try:
                value = look()
            except UNAVAILABLE:
                value = None
            seen.values[name].append((at, value))
            ended.wait(every)

    threads = [threading.Thread(target=go_on, args=pair, daemon=True) for pair in looks.items()]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        seen.ended = seen.now()
        for thread in threads:
            thread.join(10)
