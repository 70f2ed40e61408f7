"""A relay that has more to do than it can: it still looks at the clock, its lease and the stop signal."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from grading.outcome import require
from grading.plugin import check

from lab06_events.probe import Probe, probe
from lab.course.exercise import Exercise
from lab.probes.readiness import slow

MANY = 3000
DRAIN_SECONDS = 1.0
"""As in relay.py."""
WITHIN = 1.5
LOST_SECONDS = 1.2
"""A relay asks for its lease once a second."""


def full(module: Probe) -> str:
    """A post with more waiting events than a relay can publish in a few seconds."""
    return module.post(*(f"e{n}" for n in range(MANY)), version=MANY)


def held_by_another(module: Probe) -> None:
    """Give the lease to another relay."""
    lease = {"owner": "another", "process": "another", "until": datetime.now(UTC) + timedelta(hours=1)}
    module.database["leases"].replace_one({"_id": "relay"}, lease, upsert=True)


@check(points=3)
@pytest.mark.disturbs
def test_relay_under_steady_writes(lab: Exercise) -> None:
    """drain() returns after DRAIN_SECONDS although events wait, and run() ends when it is told to"""
    with probe(lab) as module:
        post = full(module)
        did = f"stored a post with {MANY:,} waiting events"
        module.ask("drain")
        published = module.answer(
            f"drain() to return; the check {did}",
            within=DRAIN_SECONDS + WITHIN,
            means="`drain` goes on as long as any event waits. Under steady writes it never returns: the relay"
            " then tells no removals and hears no SIGTERM. It has to look at the time (DRAIN_SECONDS) in"
            " each round.",
        )
        left = len((module.left(post) or {"outbox": []})["outbox"])
        require(
            published == MANY - left > 0,
            f"{did} and called drain()",
            expected="the number of published events as its result",
            saw=f"{published}, and {MANY - left} events left the outbox",
            means="`_turn` waits for changes when `drain` reports 0, so a wrong number costs time.",
        )
        module.call("run")
        time.sleep(0.5)
        module.ask("stop")
        module.answer(
            f"run() to return after `stopped` was set; the check {did}",
            within=DRAIN_SECONDS + WITHIN,
            means="`run` has to end when `stopped` is set, also while events wait. Otherwise SIGTERM has no"
            " effect, and the process is killed in the middle of its work.",
        )


@check(points=3)
@pytest.mark.disturbs
def test_relay_without_its_lease(lab: Exercise) -> None:
    """A relay that does not hold the lease publishes nothing, also when it loses the lease later"""
    means = (
        "Two relays on one outbox send events twice, and one overtakes the other. `run` works only while"
        " `self._lease.held()`, and `drain` asks again after it has read the events."
    )
    with probe(lab) as module:
        module.post("e1", "e2")
        held_by_another(module)
        did = "gave the lease to another relay, and called drain() while two events waited"
        published = module.call("drain")
        _nothing_published(module, published, did, means)
        module.call("run")
        time.sleep(LOST_SECONDS)
        _nothing_published(module, 0, "gave the lease to another relay, and called run()", means)
        module.database["leases"].delete_one({"_id": "relay"})
        deadline = time.monotonic() + 10 * slow()
        while module.topic.end() < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        require(
            module.topic.end() == 2,
            "freed the lease while run() was at work and two events waited",
            expected="both events on the topic: the relay takes over",
            saw=f"{module.topic.end()} of them after {10 * slow():g} s",
            means="A relay without the lease asks for it again about once a second; it does not end.",
        )
        held_by_another(module)
        time.sleep(LOST_SECONDS)
        module.post("f1", "f2")
        time.sleep(LOST_SECONDS)
        did = "gave the lease to another relay while run() was at work, then stored a post with two events"
        _nothing_published(module, 0, did, means, after=2)


def _nothing_published(module: Probe, published: int, did: str, means: str, after: int = 0) -> None:
    seen = module.topic.end() - after
    require(
        (published, seen) == (0, 0),
        did,
        expected="no event on the topic",
        saw=f"{seen} on the topic" + (f"; drain() returned {published}" if published else ""),
        means=means,
    )
