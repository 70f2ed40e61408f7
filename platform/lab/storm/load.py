"""The load: people who write, and readers who look on."""

import secrets
import time
from collections.abc import Callable
from itertools import pairwise
from random import Random
from threading import Event, Thread

import orjson

from lab.errors import LabError
from lab.storm.client import Answer, Caller
from lab.storm.history import Entry, History, Kind, Outcome, Read, Write

MOST_LIVE = 60
"""Posts of one person at a time: a person's list holds 100, so none is pushed out."""
AWAY = 503
"""Somebody says that nothing was done, as a rule: it takes no room."""


class Account:
    """Somebody with an account of their own; every storm makes new ones."""

    def __init__(self, gateway: str) -> None:
        name = f"storm{secrets.token_hex(6)}"
        new = {"email": f"{name}@example.org", "username": name, "password": secrets.token_hex(8)}
        caller = Caller(gateway, timeout=15)
        made = _must(caller.call("POST", "/api/auth/register", new), "register")
        login = {"email": new["email"], "password": new["password"]}
        token = _must(caller.call("POST", "/api/auth/login", login), "log in")
        caller.close()
        self.id = int(str(made["id"]))
        self.token = str(token["access_token"])


def _must(answer: Answer, what: str) -> dict[str, object]:
    if not answer.ok:
        raise LabError(f"Could not {what} before the storm: {answer.status} {answer.body[:200]!r}")
    found: dict[str, object] = answer.json()
    return found


class Paced(Thread):
    """Does one turn after the other, so many per second, until `over`."""

    def __init__(self, rate: float, over: Event, phase: float = 0.0) -> None:
        super().__init__(daemon=True)
        self._gap, self._over, self._phase = 1 / rate, over, phase
        self.callers: list[Caller] = []

    def run(self) -> None:
        """Keep the pace; what was missed while waiting for an answer is not made up."""
        following = time.monotonic() + self._phase * self._gap
        while not self._over.wait(max(0.0, following - time.monotonic())):
            following = max(following + self._gap, time.monotonic() - self._gap)
            self.turn()
        for caller in self.callers:
            caller.close()

    def turn(self) -> None:
        """One request."""
        raise NotImplementedError


class Writer(Paced):
    """Changes its own posts, one change at a time, and tries what must be refused."""

    def __init__(
        self, gateway: str, account: Account, others: Callable[[], str], history: History,
        rng: Random, rate: float, over: Event,
    ) -> None:  # fmt: skip
        super().__init__(rate, over, rng.random())
        self._caller = Caller(gateway, account.token)
        self._stranger = Caller(gateway)
        self.callers = [self._caller, self._stranger]
        self._account, self._others, self._history, self._rng = account, others, history, rng
        self._live: list[str] = []
        self._unsure: list[str] = []  # in one of two states
        self._nameless = 0  # created perhaps; nobody knows their ids
        self._count = 0

    def turn(self) -> None:
        """A change by chance: half of them new posts."""
        dice = self._rng.random()
        if dice < 0.05:
            self._try_what_is_refused()
        elif self._room() <= 0 and self._unsure:
            # Gone for sure is a state, too.
            self._change("delete", self._unsure.pop(0), back=self._unsure)
        elif self._live and (self._room() <= 0 or dice < 0.25):
            self._change("delete", self._live.pop(self._rng.randrange(len(self._live))))
        elif self._live and dice < 0.5:
            self._change("update", self._rng.choice(self._live))
        else:
            self._create()

    def _room(self) -> int:
        return MOST_LIVE - len(self._live) - len(self._unsure) - self._nameless

    def any_post(self) -> str:
        """The id of a post of this person, '' without any."""
        return self._live[-1] if self._live else ""

    def _words(self) -> str:
        self._count += 1
        return f"storm {self._account.id} {self._count}"

    def _create(self) -> None:
        words, began = self._words(), time.time()
        answer = self._caller.call("POST", "/api/posts", {"title": words, "content": words})
        post, version = ("", 0)
        if answer.ok:
            found = answer.json()
            post, version = str(found["id"]), int(found["version"])
            self._live.append(post)
        elif not answer.refused and answer.status != AWAY:
            self._nameless += 1
        self._note(began, "create", post, words, answer, version)

    def _change(self, kind: Kind, post: str, back: list[str] | None = None) -> None:
        """Update or delete; a post whose deletion was refused goes `back` (by default to the live ones)."""
        words, began = (self._words() if kind == "update" else ""), time.time()
        if kind == "update":
            answer = self._caller.call("PUT", f"/api/posts/{post}", {"title": words})
        else:
            answer = self._caller.call("DELETE", f"/api/posts/{post}")
        outcome = self._note(
            began, kind, post, words, answer,
            int(answer.json()["version"]) if answer.ok and kind == "update" else 0,
        )  # fmt: skip
        if outcome == "unknown":
            self._unsure.append(post)
            if post in self._live:
                self._live.remove(post)
        elif outcome == "refused" and kind == "delete" and f"no post {post}".encode() not in answer.body:
            (self._live if back is None else back).append(post)

    def _try_what_is_refused(self) -> None:
        words, began = "refused " + self._words(), time.time()
        which, other = self._rng.randrange(3), self._others()
        body = {"title": words, "content": words}
        forged = {"X-User-ID": str(self._account.id), "X_User_ID": str(self._account.id)}
        if which == 0 and other:
            answer = self._caller.call("PUT", f"/api/posts/{other}", {"title": words})
        elif which == 1:
            answer = self._stranger.call("POST", "/api/posts", body, forged)
        else:
            answer = self._caller.call("POST", "/api/posts", body | {"surprise": 1})
        if answer.ok:
            self._history.seen.append(f"accepted what must be refused: {words!r}, {answer.status}")
        self._note(began, "refuse", "", words, answer, 0)

    def _note(self, began: float, kind: Kind, post: str, words: str, answer: Answer, version: int) -> Outcome:
        outcome: Outcome = "done" if answer.ok else "refused" if answer.refused else "unknown"
        ended = time.time()
        history = self._history
        history.writes.append(
            Write(began, ended, self._account.id, kind, post, words, outcome, answer.status, version)
        )
        if not answer.ok and kind != "refuse":
            what = f"{kind} {answer.status or 'no answer'}"
            history.oddities[what] = history.oddities.get(what, 0) + 1
        if answer.status == 500:
            history.seen.append(f"{kind} was answered 500: {answer.body[:160].decode(errors='replace')}")
        return outcome


class Reader(Paced):
    """Reads everybody's stream, or one person's own, and looks at each page."""

    def __init__(
        self,
        gateway: str,
        account: Account | None,
        history: History,
        rate: float,
        kept: float,
        over: Event,
    ) -> None:
        super().__init__(rate, over)
        self._caller = Caller(gateway, account.token if account else "")
        self.callers = [self._caller]
        self._user = account.id if account else 0
        self._path = f"/api/activity-stream{'/user' if account else ''}?limit={history.limit}"
        self._history = history
        self._kept, self._keep_every = 0.0, 1 / kept

    def turn(self) -> None:
        """One page."""
        floor = max((s.offset or 0 for s in self._history.samples[-5:]), default=0)
        began = time.time()
        answer = self._caller.call("GET", self._path)
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
    """The entries of one page of a stream."""
    return [
        Entry(
            item["post_id"], item["version"], item["user_id"], item["title"],
            item["timestamp"] + item["event_id"],
        )
        for item in orjson.loads(body)["items"]
    ]  # fmt: skip


def faults_of_a_page(page: list[Entry], user: int) -> list[str]:
    """What must never be, whatever the moment: doubles, a wrong order, other people's or refused words."""
    found = []
    posts = [entry.post for entry in page]
    if len(set(posts)) < len(posts):
        doubled = sorted({post for post in posts if posts.count(post) > 1})
        found.append(f"doubled: a read shows {', '.join(doubled)} more than once")
    if any(a.order < b.order for a, b in pairwise(page)):
        found.append("order: a read is not newest first")
    if user and any(entry.user != user for entry in page):
        found.append(f"foreign: the own stream of user {user} shows another's post")
    found += [f"refused: a read shows {e.words!r}" for e in page if e.words.startswith("refused ")]
    return found
