"""Adds partitions to the topic in a running system, so that no event is lost and none overtakes another.

More partitions move most posts to another partition. A consumer reads partitions side by side, so it could
read the events of a post in the new one before those in the old one. Therefore the relays stop, and all that
is on the topic is applied, before the partitions are created. Users write on meanwhile: their events wait in
the outbox (docs/decisions/0038-partitions.md). Blocking clients: a tool of its own.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from kafka import KafkaAdminClient
from redis import Redis

from civildiy.contracts.posts.envelope import MOST_PARTITIONS, POSTS_TOPIC
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.operations.caught_up import CaughtUp, NotCaughtUp
from civildiy.posts.relay.growth import Growth
from civildiy.posts.relay.lease import LEASE_SECONDS

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
KEEP_SECONDS = 5.0
STOP_SECONDS = LEASE_SECONDS + 10
"""A relay that was killed or paused has its leases for LEASE_SECONDS more."""
METADATA_SECONDS = 15.0
NEARLY = 500
"""The relays are not stopped before the view is at most so many events behind: users wait for the rest."""


class GrowFailed(Exception):
    """The number of partitions is as it was; the text says why, and what to do."""


@dataclass
class Grown:
    """What was done."""

    before: int
    after: int
    paused_seconds: float
    """For this long no event was published."""


class Grow:
    """Raises the number of partitions. `partitions` counts them; `read` makes a reader of one of them.

    `patience`: for so many seconds the view may stand still while it is behind.
    """

    def __init__(
        self,
        growth: Growth,
        admin: KafkaAdminClient,
        redis: Redis,
        partitions: Callable[[], int],
        read: Callable[[int], Topic],
        patience: float,
    ) -> None:
        self._growth = growth
        self._admin = admin
        self._redis = redis
        self._partitions = partitions
        self._read = read
        self._patience = patience
        self._kept = float("-inf")

    def run(self, wanted: int) -> Grown:
        """Bring the topic to `wanted` partitions. Raises GrowFailed, and the errors of the servers."""
        before = self._partitions()
        if not 1 <= wanted <= MOST_PARTITIONS:
            raise GrowFailed(f"The topic can have 1 to {MOST_PARTITIONS} partitions, not {wanted}.")
        if wanted < before:
            raise GrowFailed(
                f"The topic has {before} partitions, and Kafka takes none away. To begin with fewer:"
                f" ./lab reset, then LAB_PARTITIONS={wanted} ./lab up (this deletes all data)."
            )
        if wanted == before == self._growth.shards():
            return Grown(before, wanted, 0.0)
        with ExitStack() as stack:
            view = CaughtUp(
                self._redis, [stack.enter_context(self._read(n)) for n in range(before)], self._patience
            )
            self._until_applied(view, NEARLY, "The relays were not stopped")
            return Grown(before, wanted, round(self._grow(before, wanted, view), 3))

    def _grow(self, before: int, wanted: int, view: CaughtUp) -> float:
        """Grow while no relay publishes; return for how many seconds none did."""
        began = time.monotonic()
        try:
            self._keep()
            self._until_nobody_publishes()
            self._until_applied(view, 0, "The relays publish again")
            self._kept = float("-inf")
            self._keep()  # the last moment to learn that this tool was paused, and that the relays went on
            if wanted > before:
                self._admin.create_partitions({POSTS_TOPIC: wanted})
                self._until_known(wanted)
            self._growth.finish(wanted)
        finally:
            self._growth.cancel()
        return time.monotonic() - began

    def _keep(self) -> None:
        if time.monotonic() - self._kept > KEEP_SECONDS:
            if not self._growth.keep():
                raise GrowFailed("Another tool changes the number of partitions. Wait until it has ended.")
            self._kept = time.monotonic()

    def _until_nobody_publishes(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while left := self._growth.publishing():
            if time.monotonic() > deadline:
                raise GrowFailed(
                    f"{left} leases of relays are still in use after {STOP_SECONDS:.0f} s, so events may be"
                    " on the way. Nothing was changed. See the relays: ./lab status, ./lab logs posts-relay"
                )
            self._keep()
            time.sleep(LOOK_SECONDS)
        log.info("no relay publishes any more")

    def _until_applied(self, view: CaughtUp, at_most: int, and_so: str) -> None:
        try:
            view.wait(at_most, self._keep if at_most == 0 else lambda: None)
        except NotCaughtUp as error:
            raise GrowFailed(
                f"The feed is {error.behind} events behind, and for {self._patience:.0f} s it has come no"
                f" nearer to the end of the topic. Nothing was changed. {and_so}. See how far it is:"
                " ./lab lag; see why: ./lab status"
            ) from error
        log.info(
            "the view is %s", "nearly up to date" if at_most else "up to date: it has applied all events"
        )

    def _until_known(self, wanted: int) -> None:
        deadline = time.monotonic() + METADATA_SECONDS
        while self._partitions() != wanted:
            if time.monotonic() > deadline:
                raise GrowFailed(
                    f"Kafka has accepted {wanted} partitions and does not report them. Run it again."
                )
            time.sleep(LOOK_SECONDS)
