"""watch() in front of a Consul of the check's own, whose answers and indexes are written here."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab02_discovery.probe import PROBE

PROGRAM = """
try:
    for found in registry().watch(name):
        say(json.dumps([i.id for i in found]))
except Exception:
    say(json.dumps("raised"))
"""
A, B = "probe-a", "probe-b"
BEGIN = "none"
"""No index, or 0: Consul answers at once."""
FIRST = "The first question has no index, and its list is yielded at once."
NEXT = (
    "Each question must send the index of the answer before it. With an older one Consul answers at once"
    " with what is known already; without one it never waits."
)
OVER = (
    "After `wait` Consul answers with the same index and the same instances. Ask again with this index, and"
    " yield nothing."
)
DIGITS = (
    "As text '100' is smaller than '99', and '900' is greater than '1000'. Compare the indexes with `int()`:"
    " only a smaller number means that Consul has lost its data."
)
LOST = (
    "The index has become smaller: Consul has lost its data. The next question must have no index, because"
    " Consul holds back the answer to one with the old index until its new one has grown beyond it."
)
EMPTY = (
    "`watch` does not yield an empty list. It is a list like any other: it says that no instance is healthy"
    " any more. Without it the caller goes on with instances that are gone."
)
COUNTS = (
    "The list that comes with a smaller index counts like any other: yield it if it differs from the last one"
    " that was yielded, and only then."
)


@dataclass(frozen=True)
class Turn:
    """One question and its answer: the index that must be asked with, and what is answered."""

    asks: str
    index: int
    ids: tuple[str, ...]
    yields: bool
    means: str


TURNS = (
    Turn(BEGIN, 97, (A,), True, FIRST),
    Turn("97", 99, (A,), False, NEXT),
    Turn("99", 100, (A, B), True, NEXT),
    Turn("100", 100, (A, B), False, DIGITS),
    Turn("100", 1000, (B,), True, OVER),
    Turn("1000", 900, (B,), False, NEXT),
    Turn(BEGIN, 901, (B,), False, f"{LOST} {DIGITS}"),
    Turn("901", 12, (), True, NEXT),
    Turn(BEGIN, 13, (A,), True, LOST),
    Turn("13", 14, (A, B), True, NEXT),
    Turn("14", 15, (), True, NEXT),
    Turn("15", 16, (B,), True, NEXT),
)


@dataclass
class Scripted:
    """The questions that came, and the address where they come."""

    port: int = 0
    asked: list[str] = field(default_factory=list)


@contextmanager
def scripted() -> Iterator[Scripted]:
    """Answer one question after the other as TURNS says, then close the connection without an answer."""
    found = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = re.search(r"[?&]index=(\d+)", self.path)
            found.asked.append(given[1] if given and given[1] != "0" else BEGIN)
            number = len(found.asked) - 1
            if number >= len(TURNS):
                return
            body = json.dumps([_entry(id) for id in TURNS[number].ids]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Consul-Index", str(TURNS[number].index))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def _entry(id: str) -> dict[str, Any]:
    service = {"ID": id, "Service": "probe", "Address": "127.0.0.12", "Port": 9, "Tags": []}
    passing = {"CheckID": f"service:{id}", "ServiceID": id, "Status": "passing"}
    return {"Node": {"Node": "n", "Address": "127.0.0.1"}, "Service": service, "Checks": [passing]}


@check(points=2)
def test_watch_step_by_step(lab: Exercise) -> None:
    """Watch asks with the index of the answer before, starts again after a loss, yields each change once"""
    with (
        scripted() as consul,
        beside(
            lab, "profile", PROBE + PROGRAM, "probe", "127.0.0.1", str(consul.port), "127.0.0.12"
        ) as module,
    ):
        yielded: list[Any] = []
        while len(yielded) <= len(TURNS) and "raised" not in yielded:
            yielded.append(json.loads(module.hear("watch() to yield, or to raise after the last answer", 15)))
        _asked_rightly(consul.asked)
        _yielded_rightly(yielded[:-1])


def _asked_rightly(asked: list[str]) -> None:
    answered = "no answer yet"
    for turn, found in zip(TURNS, asked, strict=False):
        require(
            found == turn.asks,
            f"answered the questions of your watch() beside the system; the last answer had {answered}",
            expected=_index(turn.asks),
            saw=_index(found),
            means=turn.means,
        )
        answered = f"the index {turn.index} and {', '.join(turn.ids) or 'no instances'}"
    require(
        len(asked) >= len(TURNS),
        f"answered the questions of your watch() beside the system; the last answer had {answered}",
        expected=f"{len(TURNS)} questions",
        saw=f"{len(asked)}, and then `watch` ended",
        means="`watch` ends only with an exception of Consul's client.",
    )


def _index(asked: str) -> str:
    return "a question without an index" if asked == BEGIN else f"a question with the index {asked}"


def _yielded_rightly(yielded: list[Any]) -> None:
    wanted = [list(turn.ids) for turn in TURNS if turn.yields]
    indexes = ", ".join(f"{turn.index} {'+'.join(turn.ids) or 'nobody'}" for turn in TURNS)
    require(
        yielded == wanted,
        f"gave your watch() these indexes and instances: {indexes}",
        expected=f"these lists: {wanted}",
        saw=yielded,
        means=EMPTY if yielded == [ids for ids in wanted if ids] else COUNTS,
    )
