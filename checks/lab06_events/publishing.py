"""One call of `_publish` and of `drain`, with faults at the moments that matter."""

import time
from typing import Any

import pytest
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab06_events.probe import Probe, probe

WHERE = "Look at `_publish` in relay.py."
OFTEN, OFTEN_SECONDS = 150, 60
"""Failures in a row, and the time between two of them by the clock that the relay reads."""
LONGEST_WAIT = 13
"""Seconds: PUBLISH_SECONDS is 10 in relay.py, and the check makes it 1."""


def _published(module: Probe, faults: dict[str, str], did: str, wanted: list[Any], means: str) -> None:
    module.ask("publish", faults)
    late = (
        "`future.get(PUBLISH_SECONDS)` waits for a limited time. Without a limit the relay stands still for"
        f" ever: it loses its lease and ignores SIGTERM. {WHERE}"
    )
    seen = module.answer(f"_publish() to end; the check {did}", within=LONGEST_WAIT, means=late)
    require(
        seen[: len(wanted)] == wanted if wanted[0] == "returned" else seen[0] == "raised" and seen[2],
        f"{did}, and called _publish() with all heads",
        expected=f"{wanted[1]} as its result" if wanted[0] == "returned" else "a KafkaError, for `run`",
        saw=" ".join(str(one) for one in seen[:2]),
        means=f"{means} {WHERE}",
    )
    repeated = {event: times for event, times in seen[3].items() if times > 1}
    require(
        not repeated,
        f"{did}, called _publish() with all heads, and counted how often it sent each event",
        expected="once each",
        saw=", ".join(f"{event}: {times} times" for event, times in repeated.items()),
        means="`_publish` sends an event again in the same call. While Kafka does not answer, each attempt"
        " takes PUBLISH_SECONDS, and together they take longer than the lease: another relay then publishes"
        " the same events, and what was acknowledged is not marked meanwhile. Send each head once, raise the"
        f" error after `mark_sent`, and let `run` try again. {WHERE}",
    )


def _outboxes(module: Probe, wanted: dict[str, list[str]], did: str, means: str) -> None:
    seen = {post: (module.left(post) or {"outbox": None})["outbox"] for post in wanted}
    require(
        seen == wanted,
        f"{did}, and called _publish() with all heads",
        expected=f"in the outboxes {[*wanted.values()]}",
        saw=[*seen.values()],
        means=f"{means} {WHERE}",
    )


@check(points=3)
@pytest.mark.disturbs
def test_publish_step_by_step(lab: Exercise) -> None:
    """What the broker acknowledged is marked, what failed stays, what is too large is parked"""
    with probe(lab) as module:
        early = [module.post(f"d{number}") for number in range(3)]
        order = module.call("order_of_publish")
        require(
            order.startswith("sss"),
            "called _publish() with three heads, and noted each record that it sent (s) and each future"
            " that it"
            " waited for (w)",
            expected="three times s, and only then w",
            saw=order,
            means="If each record waits for the one before it, a slow broker holds the relay for 100 time"
            " limits:"
            f" it loses its lease, and another relay sends the same events. Send all, then wait. {WHERE}",
        )
        first, second, third = (module.post(f"e{n}", minutes=9 - n) for n in range(3))
        did = "let the broker fail to acknowledge the first of three events"
        means = "One event is not acknowledged yet. `run` tries again only if it gets the error."
        _published(module, {"e0": "later"}, did, ["raised"], means)
        _outboxes(
            module, {first: ["e0"], second: [], third: []}, did,
            "The two others are on the topic. If they stay in the outbox, they are sent again and again until"
            " the first one succeeds. Wait for every future, call `mark_sent`, and only then"
            " raise the error.",
        )  # fmt: skip
        did = "let the broker fail to acknowledge the only event"
        means = "Nothing was sent, so there is nothing to mark, and the error of Kafka goes to `run`."
        _published(module, {"e0": "later"}, did, ["raised"], f"{means} `mark_sent([])` must do nothing.")
        did = "let the broker give no answer about the only event"
        _published(module, {"e0": "no answer"}, did, ["raised"], "No answer is no acknowledgement.")
        _outboxes(module, {first: ["e0"]}, did, "Without an acknowledgement the event stays in the outbox.")
        module.call("publish_often", {"e0": "later"}, OFTEN, OFTEN_SECONDS)
        did = f"let the broker fail to acknowledge the only event {OFTEN} times, once in {OFTEN_SECONDS} s"
        _outboxes(
            module, {first: ["e0"]}, did,
            "Such an error is not the event's fault: Kafka can be down for hours. Only the errors in"
            " REFUSED_FOR_EVER park an event. After any other it stays in the outbox, however often and for"
            " however long it fails.",
        )  # fmt: skip
        large, good = module.post("f0", "f1", minutes=9), module.post("g0", minutes=1)
        did = "let the broker refuse one of three events as too large"
        means = "The result is the number of acknowledged events; a parked event was not published."
        _published(module, {"f0": "too large"}, did, ["returned", 2], means)
        _outboxes(
            module, {first: [], large: ["f1"], good: []}, did,
            "The large event will never be accepted, so it is parked, and the next one of its"
            " post can follow.",
        )  # fmt: skip
        keys = sorted({key for key, _ in module.records()})
        require(
            keys == sorted([*early, first, second, third, good]),
            "read the keys of the published events",
            expected="the id of its post for each event",
            saw=keys,
            means="Kafka keeps the order of records with one key only. The key is"
            f" `str(head.post_id).encode()`. {WHERE}",
        )
        did = "let the broker refuse the only event as too large"
        means = "The event is parked, nothing was published, and that is no error."
        _published(
            module, {"f1": "too large"}, did, ["returned", 0], f"{means} `mark_sent([])` does nothing."
        )


@check(points=2)
@pytest.mark.disturbs
def test_drain_step_by_step(lab: Exercise) -> None:
    """drain() goes on until nothing is pending, and publishes nothing once it must stop"""
    with probe(lab) as module:
        for what, did, means in (
            (
                "lease",
                "let another relay take the lease while drain() read the heads",
                "The relay was paused, for example, and another one works now: both would publish the same"
                " events. `drain` has to ask `self._lease.held()` after it has read the heads, before"
                " `_publish`.",
            ),
            (
                "signal",
                "set `stopped` while drain() read the heads",
                "SIGTERM arrived. `drain` has to look at `self._stopped` after it has read the heads, before"
                " `_publish`.",
            ),
        ):
            post = module.post(f"{what} 1", minutes=5)
            published = module.call("drain_after", what, 1)
            on_topic = [body for _, body in module.records()]
            require(
                published == 0 and f"{what} 1" not in on_topic,
                did,
                expected="nothing to be published",
                saw=f"drain() returned {published}, {len(on_topic)} events on the topic",
                means=f"{means} Look at `drain` in relay.py.",
            )
            module.posts.delete_many({})
            module.post(f"{what} 2", f"{what} 3")
            published = module.call("drain_after", what, 2)
            sent = [body for _, body in module.records() if body.startswith(what)]
            again = did.replace("the heads", "the heads for the second time")
            require(
                (published, sent) == (1, [f"{what} 2"]),
                f"stored a post with two events, and {again}",
                expected="the first event on the topic, and 1 as the result",
                saw=f"drain() returned {published}, on the topic {sent}",
                means=f"{means} It asks in each round, and returns what it has published so far. Look at"
                " `drain` in relay.py.",
            )
            module.posts.delete_many({})
        for _ in range(3):
            post = module.post("e1", "e2", "e3")
            began = time.monotonic()
            published = module.call("drain")
            # On a busy machine drain() may rightly stop because its second is over: then it has another try.
            if published == 3 or time.monotonic() - began < 0.9:
                break
            module.posts.delete_many({})
        left = (module.left(post) or {"outbox": []})["outbox"]
        require(
            published == 3 and not left,
            "stored a post with three pending events, and called drain() once",
            expected="3 as its result, and an empty outbox",
            saw=f"{published}, and {left} in the outbox",
            means="The heads are one event of each post. `drain` has to read heads and publish them again and"
            " again until nothing is pending or DRAIN_SECONDS are over. Look at `drain` in relay.py.",
        )
        did = "let the broker fail to acknowledge the only event, and called drain()"
        module.post("f1")
        module.ask("failing_drain", {"f1": "later"})
        seen = module.answer(f"drain() to end; the check {did}", within=LONGEST_WAIT)
        require(
            seen[0] == "raised" and seen[2],
            did,
            expected="the KafkaError",
            saw=" ".join(str(one) for one in seen[:2]),
            means="`run` logs a failure, waits, and tries again, but only if it gets the error. Let the"
            " errors of"
            " `_publish` pass. Look at `drain` in relay.py.",
        )
