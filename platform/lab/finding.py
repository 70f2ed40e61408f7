"""One line of `./lab doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. `remedy` is empty when it is fine."""

    what: str
    seen: str
    remedy: str = ""
