"""A fault whose name nobody is told: chosen by chance, kept under a hash, and compared with an answer.

Lab 09 asks for the unit and the kind of the fault. A file keeps a salted hash of both, so the answer can be
checked, and no command prints it before the fault has ended.
"""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random, SystemRandom

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import break_
from lab.faults.catalog import fault
from lab.home import PLATFORM, REPO, Home

CASES = (
    ("pause", "posts-relay"), ("pause", "feed-projector"), ("pause", "kafka"), ("pause", "redis"),
    ("slow", "mongodb"), ("slow", "redis"),
)  # fmt: skip
"""The kind of each possible fault, and its unit. `civildiy.operations.diagnosis` lists them as well."""
ROUNDS = 200_000


@dataclass(frozen=True)
class Hidden:
    """The last hidden fault: the hash of its name, and the Unix time at which it ends by itself."""

    salt: str
    digest: str
    until: float

    @property
    def active(self) -> bool:
        """Whether the fault has not ended by itself yet."""
        return time.time() < self.until

    def is_named_by(self, unit: str, kind: str) -> bool:
        """Return whether this is the fault `kind` of `unit`."""
        return secrets.compare_digest(self.digest, _digest(self.salt, unit, kind))


def start(home: Home, backend: Backend, seconds: float, chance: Random | None = None) -> Hidden:
    """Break one of CASES for `seconds`, and send requests meanwhile. Raises LabError.

    The requests write posts and read feeds: without them, most faults would leave no trace. `chance`
    chooses the case, so a check that is repeated with its seed breaks the same thing again.
    """
    if (there := current(home)) and there.active:
        raise LabError("A hidden fault is active already. End it: ./lab heal")
    kind, unit = (chance or SystemRandom()).choice(CASES)
    _send_requests(seconds)
    try:
        break_.start(home, backend, fault(kind), unit, seconds)
    except LabError as error:  # its text would name the fault
        raise LabError(
            "A hidden fault could not be started. End all faults, and try again: ./lab heal"
        ) from error
    salt = secrets.token_hex(16)
    hidden = Hidden(salt, _digest(salt, unit, kind), time.time() + seconds)
    _file(home).write_text(json.dumps(asdict(hidden)), encoding="utf-8")
    return hidden


def current(home: Home) -> Hidden | None:
    """Return the last hidden fault, also one that has ended; None if there was none."""
    try:
        return Hidden(**json.loads(_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def ended(home: Home) -> None:
    """Note that the last hidden fault is over, after it was healed; its name can still be compared."""
    if there := current(home):
        over = Hidden(there.salt, there.digest, 0.0)
        _file(home).write_text(json.dumps(asdict(over)), encoding="utf-8")


def forget(home: Home) -> None:
    """Forget the last hidden fault, so that its name, which somebody was told, is no answer any more."""
    _file(home).unlink(missing_ok=True)


def _file(home: Home) -> Path:
    return home.root / "hidden-fault.json"


def _digest(salt: str, unit: str, kind: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", f"{kind} {unit}".encode(), salt.encode(), ROUNDS).hex()


def _send_requests(seconds: float) -> None:
    """Send requests from a process of its own, which ends by itself."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lab.storm.hidden_load", str(seconds)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, cwd=REPO, env={**os.environ, "PYTHONPATH": str(PLATFORM)},
    )  # fmt: skip
    process.returncode = 0  # it outlives this process; Python would warn about a running child
