"""Private data in the storm: secrets in users' own profiles, read by their owner and by other users."""

import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from threading import Event

from lab.errors import LabError
from lab.storm.client import Answer, Caller
from lab.storm.history import History, Look, Outcome, Secret
from lab.storm.people import Account, Paced
from lab.storm.verdict import Violations

PATH = "/api/profile"
MOST = 20
SECRET = re.compile(r"secret of \d+: [0-9a-f]{16}")


def forged(user: int) -> dict[str, str]:
    """Return headers that claim to come from `user`; the gateway must remove all of them."""
    return {"X-User-ID": str(user), "X_User_ID": str(user), "x-user-Id": str(user)}


class Keeper(Paced):
    """Writes a secret into its own profile, changes it, reads it, and tries to read other users' secrets."""

    def __init__(
        self, gateway: str, account: Account, others: Sequence[Account], history: History,
        rng: Random, rate: float, over: Event,
    ) -> None:  # fmt: skip
        super().__init__(rate, over, rng.random())
        self._caller, self._stranger = Caller(gateway, account.token), Caller(gateway)
        self.callers = [self._caller, self._stranger]
        self._id, self._history, self._rng = account.id, history, rng
        self._others = [other.id for other in others if other.id != account.id]

    def begin(self) -> None:
        """Create the profile, before the storm. Raises LabError."""
        answer = self._write("POST")
        if not answer.ok:
            raise LabError(
                f"Could not create a profile before the storm: {answer.status}."
                " See what is wrong: ./lab status"
            )

    def turn(self) -> None:
        """Do mostly reads: many with another user's id in a forged header, some of these without a token."""
        dice = self._rng.random()
        if dice < 0.15:
            self._write("PUT")
        elif dice < 0.5 or not self._others:
            note(self._history, self._caller, self._id)
        elif dice < 0.8:
            note(self._history, self._caller, self._id, self._rng.choice(self._others))
        else:
            note(self._history, self._stranger, 0, self._rng.choice([self._id, *self._others]))

    def _write(self, method: str) -> Answer:
        words, began = f"secret of {self._id}: {secrets.token_hex(8)}", time.time()
        answer = self._caller.call(method, PATH, {"bio": words})
        outcome: Outcome = "done" if answer.ok else "refused" if answer.refused else "unknown"
        self._history.secrets.append(Secret(began, time.time(), self._id, words, outcome))
        _note_500(self._history, f"{method} of a profile", answer)
        return answer


def note(history: History, caller: Caller, user: int, claimed: int = 0) -> Look:
    """Read the profile of the user behind `caller`, perhaps with a forged header, and record the answer."""
    began = time.time()
    answer = caller.call("GET", PATH, headers=forged(claimed) if claimed else None)
    # Not parsed as JSON: an error must not contain a secret either.
    words = answer.json()["bio"] or "" if answer.ok else answer.body.decode(errors="replace")
    history.looks.append(Look(began, time.time(), user, claimed, answer.status, words))
    _note_500(history, "a read of a profile", answer)
    return history.looks[-1]


def _note_500(history: History, what: str, answer: Answer) -> None:
    if answer.status == 500:
        history.seen.append(f"{what} was answered 500: {answer.body[:160].decode(errors='replace')}")


def judge_private(history: History) -> Violations:
    """Check that no user was shown another user's secret, and each user their own newest one."""
    owners = {secret.words: secret.user for secret in history.secrets}
    of_user: dict[int, list[Secret]] = {}
    for secret in history.secrets:
        of_user.setdefault(secret.user, []).append(secret)
    found: Violations = []
    for look in history.looks:
        found += _judge_look(look, owners, of_user.get(look.user, []))
        if len(found) >= MOST:
            break
    return found


def _judge_look(look: Look, owners: Mapping[str, int], own: Sequence[Secret]) -> Iterator[str]:
    who = f"user {look.user}" if look.user else "a client without a token"
    at = f"a read at {look.began:.3f}: {who}"
    if look.claimed:
        at += f", who claimed to be user {look.claimed},"
    shown = {owners.get(words, 0) for words in SECRET.findall(look.words)} - {look.user}
    if shown:
        yield f"private: {at} was shown the secret of user {min(shown)}"
    elif not 200 <= look.status < 300:
        return
    elif not look.user:
        yield f"private: {at} was answered {look.status}"
    elif look.words not in (possible := allowed(look, own)):
        yield f"stale: {at} was shown {look.words!r}, not {possible}"


def allowed(look: Look, own: Sequence[Secret]) -> list[str]:
    """Return what the own profile may contain: the last certain text, and every uncertain or later one."""
    sure = [s for s in own if s.outcome == "done" and s.ended <= look.began]
    # Without an answer, a change may be executed at any time after it was sent, also after a later one.
    unsure = [s for s in own if s.outcome == "unknown" and s.began < look.ended]
    meanwhile = [s for s in own if s.outcome == "done" and s.began < look.ended and s.ended > look.began]
    return [s.words for s in (*sure[-1:], *unsure, *meanwhile)]
