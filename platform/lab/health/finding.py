"""What a look at one subject found."""

from collections.abc import Iterator
from dataclasses import dataclass

SECONDS = 3.0
"""How long one question to a server may take; LAB_SLOW stretches it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` is the command that fixes it, empty when all is well.

    `again`: whether `./lab up` repairs it by setting up the servers once more.
    """

    what: str
    seen: str
    remedy: str = ""
    again: bool = False


Findings = Iterator[Finding]
