"""Who may send to the collector: a join code for the class, and a token for each person."""

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from lab.classroom.board import Board
from lab.classroom.limits import Allowance

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without I, L, O, 0 and 1, which look alike on a projector."""
WRONG_CODES = (1 / 6, 10)
"""Wrong codes that an address may try: 10 at once, then one every 6 s. There are 900 million codes."""


class Members:
    """The people who have joined, with their tokens, and the board that shows them.

    Tokens are stored as hashes, so the file of a collector lets nobody send as somebody else.
    """

    def __init__(self, board: Board, code: str = "", key: str = "") -> None:
        self.board = board
        self.code = code or "".join(secrets.choice(LETTERS) for _ in range(6))
        self.key = key or secrets.token_urlsafe(16)
        """Opens the page. Only the instructor gets it, because the page shows names."""
        self.changed = True
        self._hashes: dict[str, str] = {}
        self._wrong = Allowance(*WRONG_CODES)

    def is_code(self, given: str, address: str, now: float) -> bool | None:
        """Tell whether a join code is right; None when the address has tried too many wrong ones."""
        right = hmac.compare_digest(given.strip().upper().encode(), self.code.encode())
        if not right and not self._wrong.take(address, now):
            return None
        return right

    def is_key(self, given: str) -> bool:
        """Tell whether a key opens the page."""
        return hmac.compare_digest(given.encode(), self.key.encode())

    def join(self, name: str, now: float) -> tuple[str, str] | None:
        """Add a person; return an id and a token, or None when no more fit."""
        person, token = secrets.token_hex(8), secrets.token_urlsafe(24)
        if not self.board.add(person, name, now):
            return None
        self._hashes[person] = _hash(token)
        self._forget_others()
        self.changed = True
        return person, token

    def knows(self, person: str, token: str) -> bool:
        """Tell whether a token belongs to a person who has joined."""
        known = self._hashes.get(person, "")
        return hmac.compare_digest(known, _hash(token)) and person in self.board.people

    def leave(self, person: str) -> None:
        """Remove a person with everything that they have sent."""
        self.board.people.pop(person, None)
        self._forget_others()
        self.changed = True

    def _forget_others(self) -> None:
        self._hashes = {key: kept for key, kept in self._hashes.items() if key in self.board.people}

    def save(self, file: Path) -> None:
        """Write everything into a file that only this user can read."""
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        text = json.dumps(self.as_dict(), ensure_ascii=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        new.replace(file)
        self.changed = False

    def as_dict(self) -> dict[str, Any]:
        """Return everything in a form that JSON can hold."""
        return {"code": self.code, "key": self.key, "hashes": self._hashes, "people": self.board.as_dict()}

    @classmethod
    def load(cls, file: Path) -> "Members":
        """Return what a collector before has saved; an empty class if there is none, or if it is damaged."""
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            found = cls(Board.from_dict(data["people"]), str(data["code"]), str(data["key"]))
            found._hashes = {str(person): str(kept) for person, kept in data["hashes"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(Board())
        return found


def _hash(token: str) -> str:
    # A token has 192 random bits, so a fast hash is enough.
    return hashlib.sha256(token.encode()).hexdigest()
