"""The schedule of faults: the same seed gives the same faults at the same times."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from lab.topology import STORES, UNITS

DECK: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(("kill", (unit,)) for unit in ("posts", "posts-relay", "feed-projector", *STORES)),
    ("kill", UNITS),
    ("restart", UNITS),
    *(("pause", (unit,)) for unit in ("posts-relay", "feed-projector", "kafka")),
    ("pause", UNITS),
    ("slow", ("mongodb", "redis", "kafka", "posts", "feed")),
    ("slow", UNITS),
    *(("cut-off", (unit,)) for unit in ("kafka", "redis", "posts-relay")),
    ("cut-off", UNITS),
    ("full-disk", ("redis",)),
    ("clock-skew", ("auth",)),
    ("duplicate", ("kafka",)),
    ("reorder", ("kafka",)),
    ("poison", ("kafka",)),
    ("amnesia", ("consul",)),
    ("gateway-restart", ("traefik",)),
    ("wrong-rule", ("traefik",)),
    ("two-relays", ("posts-relay",)),
    ("two-projectors", ("feed-projector",)),
)
"""One round of faults, dealt in an order by the seed; each names the units it may hit."""

FIRST, QUIET = 4.0, 5.0
"""Seconds before the first fault, and without a new one at the end."""


@dataclass(frozen=True)
class Planned:
    """A fault to come: seconds from the start, and for how long."""

    at: float
    fault: str
    unit: str
    seconds: float


def schedule(seed: int, seconds: float, without: Sequence[str] = ()) -> list[Planned]:
    """Faults for `seconds` of storm, those called `without` left out.

    Some begin while the one before is still on, but never two at one unit.
    """
    rng = Random(seed)
    found: list[Planned] = []
    deck: list[tuple[str, tuple[str, ...]]] = []
    at = FIRST
    while at < seconds - QUIET:
        if not deck:
            deck = [card for card in DECK if card[0] not in without]
            rng.shuffle(deck)
        name, units = deck.pop()
        unit, lasts = rng.choice(units), round(rng.uniform(2, 6), 1)
        busy = [before.unit for before in found[-2:] if before.at + before.seconds + 1 > at]
        if unit not in busy:
            found.append(Planned(round(at, 1), name, unit, min(lasts, round(seconds - at, 1))))
        # Mostly one after the other; one in four begins in the middle of the one before.
        at += rng.uniform(0.5, 2) if rng.random() < 0.25 else lasts + rng.uniform(2, 4)
    return found
