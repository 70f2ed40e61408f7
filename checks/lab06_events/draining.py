"""A relay that has more to do than it can: it still looks at the clock, its lease and the stop signal."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab.deadlines import slow
from lab06_events.probe import Probe, probe

MANY = 3000
DRAIN_SECONDS = 1.0
"""As in relay.py."""
WITHIN = 1.5
REFUSED_SECONDS = 3.0
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
            means="`drain` goes on as long as any event waits. Under steady writes it never returns: the"
            " relay"
            " then publishes no removals and ignores SIGTERM. It has to look at the time (DRAIN_SECONDS) in"
            " each round.",
        )
        left = len((module.left(post) or {"outbox": []})["outbox"])
        require(
            published == MANY - left > 0,
            f"{did} and called drain()",
            expected="the number of published events as its result",
            saw=f"{published}, and {MANY - left} events left the outbox",
            means="`drain` has to add up what `_publish` returns in each of its rounds. When it returns 0,"
            " `_turn` takes the outbox for empty and waits for a change.",
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


@check(points=2)
@pytest.mark.disturbs
def test_relay_while_kafka_refuses(lab: Exercise) -> None:
    """A relay that tries again and again keeps nothing behind, and sends each post's events in order"""
    # A machine under load makes fewer tries in the same time.
    lasting = REFUSED_SECONDS * slow()
    did = f"let Kafka refuse every record for {lasting:g} s, while three posts had four events each"
    with probe(lab) as module:
        first = module.post("before")
        module.call("run")
        _arrive(module, 1, "ran a relay with one waiting event")
        threads = module.call("threads")
        with module.refused():
            posts = [module.post(*(f"{post} {n}" for n in range(4)), version=4) for post in "xyz"]
            time.sleep(lasting)
            more = module.call("threads") - threads
            left = [len((module.left(post) or {"outbox": []})["outbox"]) for post in posts]
            # The broker may have accepted one before it began to refuse.
            taken = [sum(key == post for key, _ in module.records()) for post in posts]
        require(
            all(there + sent >= 4 for there, sent in zip(left, taken, strict=True)),
            did,
            expected="each of them still in the outbox, unless it is on the topic",
            saw=f"{left} events left in the outboxes, {taken} on the topic",
            means="Kafka has none of them. An event leaves the outbox when the broker has acknowledged it, or"
            " when it is refused for ever (REFUSED_FOR_EVER); each other error passes: try again.",
        )
        require(
            more <= 2,
            did,
            expected="as many threads in the relay's process as before",
            saw=f"{more} more",
            means="Each try makes a new producer, and the old one goes on with its thread and its"
            " connections."
            " Keep one producer, or close the old one before you make another.",
        )
        _arrive(module, 13, f"{did}; then let it accept them")
        seen = {post: [body for key, body in module.records() if key == post] for post in posts}
        wrong = [list(dict.fromkeys(found)) for found in seen.values()]
        wrong = [found for found in wrong if found != sorted(found)]
        require(
            not wrong and module.records()[0] == (first, "before"),
            f"{did}; then let it accept them",
            expected="each post's events in the order of its outbox, with the post's id as their key",
            saw=wrong or module.records()[:1],
            means="The next event of a post may be sent only when the one before it is acknowledged.",
        )


def _arrive(module: Probe, count: int, did: str) -> None:
    deadline = time.monotonic() + 10 * slow()
    while module.topic.end() < count and time.monotonic() < deadline:
        time.sleep(0.05)
    require(
        module.topic.end() >= count,
        did,
        expected=f"{count} events on the topic within {10 * slow():g} s",
        saw=module.topic.end(),
        means="`run` has to go on until everything is published, whatever Kafka refused before.",
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
