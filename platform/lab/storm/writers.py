"""The writers: users who change their own posts, and try requests that must be refused."""

import time
from collections.abc import Callable
from random import Random
from threading import Event

from lab.storm.client import Answer, Caller
from lab.storm.history import History, Kind, Outcome, Write, moment
from lab.storm.people import Account, Paced
from lab.storm.private import forged

MOST_LIVE = 60
"""The most posts of one user at a time. A user's list holds 100, so none is pushed out of it."""
UNAVAILABLE = 503
"""As a rule this status means that nothing was stored, so no room is reserved for a post."""


class Writer(Paced):
    """Changes its own posts, one change at a time, and tries requests that must be refused."""

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
        self._unsure: list[str] = []  # a change without an answer: the post is in one of two states
        self._nameless = 0  # creates without an answer: the post may exist, but its id is unknown
        self._count = 0

    def turn(self) -> None:
        """Make a random change; half of them create a post."""
        dice = self._rng.random()
        if dice < 0.05:
            self._try_what_is_refused()
        elif self._room() <= 0 and self._unsure:
            # After its deletion an uncertain post has a certain state again.
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
        """Return the id of one of this user's posts, '' without any."""
        return self._live[-1] if self._live else ""

    def _words(self) -> str:
        self._count += 1
        return f"storm {self._account.id} {self._count}"

    def _create(self) -> None:
        words, began = self._words(), time.time()
        answer = self._caller.call("POST", "/api/posts", {"title": words, "content": words})
        post = ""
        if answer.ok:
            post = str(answer.json()["id"])
            self._live.append(post)
        elif not answer.refused and answer.status != UNAVAILABLE:
            self._nameless += 1
        self._note(began, "create", post, words, answer)

    def _change(self, kind: Kind, post: str, back: list[str] | None = None) -> None:
        """Update or delete a post. If a deletion is refused, it goes to `back`, by default the live posts."""
        words, began = (self._words() if kind == "update" else ""), time.time()
        if kind == "update":
            answer = self._caller.call("PUT", f"/api/posts/{post}", {"title": words})
        else:
            answer = self._caller.call("DELETE", f"/api/posts/{post}")
        outcome = self._note(began, kind, post, words, answer)
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
        if which == 0 and other:
            answer = self._caller.call("PUT", f"/api/posts/{other}", {"title": words})
        elif which == 1:
            answer = self._stranger.call("POST", "/api/posts", body, forged(self._account.id))
        else:
            answer = self._caller.call("POST", "/api/posts", body | {"surprise": 1})
        if answer.ok:
            self._history.seen.append(f"accepted a change that must be refused: {words!r}, {answer.status}")
        self._note(began, "refuse", "", words, answer)

    def _note(self, began: float, kind: Kind, post: str, words: str, answer: Answer) -> Outcome:
        ended = time.time()
        outcome: Outcome = "done" if answer.ok else "refused" if answer.refused else "unknown"
        write = Write(began, ended, self._account.id, kind, post, words, outcome, answer.status)
        if answer.ok and kind in ("create", "update"):
            post_now = answer.json()
            write.version, write.time = int(post_now["version"]), moment(post_now["updated_at"])
        history = self._history
        history.writes.append(write)
        if not answer.ok and kind != "refuse":
            what = f"{kind} {answer.status or 'no answer'}"
            history.oddities[what] = history.oddities.get(what, 0) + 1
        if answer.status == 500:
            history.seen.append(f"{kind} was answered 500: {answer.body[:160].decode(errors='replace')}")
        return outcome
