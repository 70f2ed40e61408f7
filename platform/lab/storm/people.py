"""The users who make the load: their accounts, and threads that keep a pace."""

import secrets
import time
from threading import Event, Thread

from lab.errors import LabError
from lab.storm.client import Answer, Caller


class Account:
    """A user's account; every storm registers new ones."""

    def __init__(self, gateway: str) -> None:
        name = f"storm{secrets.token_hex(6)}"
        new = {"email": f"{name}@example.org", "username": name, "password": secrets.token_hex(8)}
        caller = Caller(gateway, timeout=15)
        registered = _must(caller.call("POST", "/api/auth/register", new), "register")
        login = {"email": new["email"], "password": new["password"]}
        token = _must(caller.call("POST", "/api/auth/login", login), "log in")
        caller.close()
        self.id = int(str(registered["id"]))
        self.token = str(token["access_token"])


def _must(answer: Answer, what: str) -> dict[str, object]:
    if not answer.ok:
        raise LabError(
            f"Could not {what} before the storm: {answer.status} {answer.body[:200]!r}."
            " See what is wrong: ./lab status"
        )
    document: dict[str, object] = answer.json()
    return document


class Paced(Thread):
    """A thread that calls `turn` at a fixed rate per second until `over` is set."""

    def __init__(self, rate: float, over: Event, phase: float = 0.0) -> None:
        super().__init__(daemon=True)
        self._gap, self._over, self._phase = 1 / rate, over, phase
        self.callers: list[Caller] = []

    def run(self) -> None:
        """Keep the pace. Turns that are missed while waiting for an answer are not made up."""
        following = time.monotonic() + self._phase * self._gap
        while not self._over.wait(max(0.0, following - time.monotonic())):
            following = max(following + self._gap, time.monotonic() - self._gap)
            self.turn()
        for caller in self.callers:
            caller.close()

    def turn(self) -> None:
        """Send one request."""
        raise NotImplementedError
