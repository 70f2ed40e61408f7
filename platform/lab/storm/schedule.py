"""The schedule of the faults: the same seed gives the same faults at the same times."""

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
"""One round of faults with the units that each may hit; the seed decides the order."""

FIRST, QUIET = 4.0, 5.0
"""Seconds before the first fault, and at the end without a new one."""


@dataclass(frozen=True)
class Planned:
    """A planned fault: when it begins, in seconds from the start, and how long it lasts."""

    at: float
    fault: str
    unit: str
    seconds: float


def schedule(seed: int, seconds: float, without: Sequence[str] = ()) -> list[Planned]:
    """Return faults for a storm of `seconds`, except those in `without`.

    Some faults begin while another one is active, but there are never two at one unit.
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
        # Three of four faults begin after the one before has ended; the fourth begins during it.
        at += rng.uniform(0.5, 2) if rng.random() < 0.25 else lasts + rng.uniform(2, 4)
    return found
