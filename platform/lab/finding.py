"""The result of one check of the machine or the system."""

from collections.abc import Iterator
from dataclasses import dataclass

SECONDS = 3.0
"""The time limit for one request to a server; LAB_SLOW multiplies it."""


@dataclass(frozen=True)
class Finding:
    """One checked thing. `remedy` is the command that fixes it; it is empty when nothing is wrong.

    `again`: whether `./lab up` fixes it by setting up the servers again.
    """

    what: str
    seen: str
    remedy: str = ""
    again: bool = False


Findings = Iterator[Finding]
