"""The readers: they read the feeds page by page while others write."""

import time
from threading import Event

import orjson

from lab.storm.client import Caller
from lab.storm.history import Entry, History, Read
from lab.storm.people import Account, Paced
from lab.storm.private import forged
from lab.storm.reads import faults_of_a_page


class Reader(Paced):
    """Reads the global feed, or one user's own feed, and checks each page.

    Every other read of the own feed claims, by a forged header, to come from `other`.
    """

    def __init__(
        self, gateway: str, account: Account | None, other: Account, history: History,
        rate: float, kept: float, over: Event,
    ) -> None:  # fmt: skip
        super().__init__(rate, over)
        self._caller = Caller(gateway, account.token if account else "")
        self.callers = [self._caller]
        self._user = account.id if account else 0
        self._path = f"/api/activity-stream{'/user' if account else ''}?limit={history.limit}"
        self._history = history
        self._kept, self._keep_every = 0.0, 1 / kept
        self._claims = forged(other.id) if account else {}
        self._turns = 0

    def turn(self) -> None:
        """Read one page."""
        # Without fresh statistics the offset is only a lower bound. Redis may restart slightly older.
        known = [sample.offsets for sample in self._history.samples[-5:] if sample.offsets]
        floor = tuple(max(each) for each in zip(*known, strict=False))
        began = time.time()
        self._turns += 1
        answer = self._caller.call("GET", self._path, headers=self._claims if self._turns % 2 else None)
        read = Read(began, time.time(), self._user, answer.status, floor)
        if answer.ok:
            page = entries(answer.body)
            self._history.seen += faults_of_a_page(page, self._user)
            if began - self._kept > self._keep_every:
                self._kept, read.entries = began, page
        elif answer.status == 500:
            self._history.seen.append(
                f"a read was answered 500: {answer.body[:160].decode(errors='replace')}"
            )
        self._history.reads.append(read)


def entries(body: bytes) -> list[Entry]:
    """Return the entries of one page of a feed."""
    return [
        Entry(
            item["post_id"], item["version"], item["user_id"], item["title"],
            item["timestamp"] + item["event_id"],
        )
        for item in orjson.loads(body)["items"]
    ]  # fmt: skip
