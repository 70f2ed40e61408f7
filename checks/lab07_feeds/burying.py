"""What happens to a poison record when its key, its value or the broker are not as usual."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

import pytest
from grading.events import Post, dead_letters, publish, redis, settled, stats, stranger, titles
from grading.outcome import Wrong, require, wrong
from grading.plugin import check
from grading.refusing_kafka import refusing
from grading.system import ENDPOINTS, backend
from grading.topic import PARTITION

from civildiy.chassis.clients.kafka import group_consumer
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC
from civildiy.feed import keys
from lab.course.running import is_waiting
from lab.deadlines import slow

GROUP = "feed-projector"
TRIES_SECONDS = 2.5
"""A projector tries again every half second."""


@contextmanager
def going_on(end: int) -> Iterator[None]:
    """If the projector is stuck before `end` when this ends, let it go on there, for the next checks."""
    try:
        yield
    finally:
        if int(stats()["next_offset"] or 0) < end:
            with redis() as client:
                client.set(keys.OFFSET, end)


@check(points=3)
@pytest.mark.disturbs
def test_poison_of_every_kind(rng: Random) -> None:
    """Poison without a key or a value, or with bytes that are no text, goes to the dead letters"""
    mark = f"poison {time.time_ns()}".encode()
    after = Post(stranger(rng), "after the poison")
    kinds: dict[str, tuple[bytes | None, bytes | None]] = {
        "no key": (None, mark),
        "a key that is not UTF-8": (b"\xff\xfe", mark),
        "a key of 2,000 bytes": (b"k" * 2000, mark),
        "an empty key": (b"", mark),
        "a value that is not UTF-8": (after.id.encode(), b"\xff\xfe" + mark),
        "a JSON list as its value": (after.id.encode(), b'["%b"]' % mark),
        "a JSON string as its value": (after.id.encode(), b'"%b"' % mark),
        "an empty value": (after.id.encode(), b""),
        "no value": (after.id.encode(), None),
    }
    for kind, record in kinds.items():
        before = stats()["counters"]["dead"]
        end = publish([record])
        did = f"put a record with {kind} on the topic, which can never be applied"
        with going_on(end):
            _passes(end, did)
        dead = stats()["counters"]["dead"] - before
        require(
            dead == 1,
            did,
            expected="1 more in the counter `dead`",
            saw=dead,
            means="Each record that cannot be read is counted once and buried, also an empty one. Look"
            " at `_apply`"
            " in projector.py.",
        )
    buried = [reason for value, reason in dead_letters() if mark in value]
    marked = sum(mark in (value or b"") for _, value in kinds.values())
    require(
        len(buried) == marked and all(buried),
        f"put {marked} records that can never be applied on the topic",
        expected="each among the dead letters, once, with a reason",
        saw=f"{len(buried)} dead letters, reasons: {buried}",
        means="A record may hold anything. `_bury` in projector.py keeps its bytes as they are.",
    )
    end = publish([(after.id, after.body())])
    _passes(end, "put a good event on the topic after records that can never be applied")
    seen = titles(after.user)
    require(seen == ["after the poison"], "put a good event on the topic after them", expected="its entry",
            saw=seen, means="One bad record must not hold up all others.")  # fmt: skip


def _passes(end: int, did: str) -> None:
    """Wait until the projector has gone beyond the record."""
    late = False
    try:
        settled(end, within=6)
    except Wrong:
        late = True
    if late:
        state = "it ended with an error" if is_waiting(backend, "feed-projector") else "it does not move on"
        wrong(
            did,
            expected="the projector to put it among the dead letters and go on",
            saw=f"{state}; its next offset is {stats()['next_offset']}, not {end}",
            means="One such record stops the projector for good, because it reads the same record again after"
            " each restart. A Kafka record may have no key and no value, and neither has to be text. Look at"
            " `_apply` and `_bury` in projector.py.",
        )


@check(points=2)
@pytest.mark.disturbs
def test_dead_letter_before_the_offset(rng: Random) -> None:
    """The projector waits until Kafka has the dead letter, and only then moves on"""
    mark = f"poison {time.time_ns()}".encode()
    post = Post(stranger(rng), "after the refused letter")
    did = "let Kafka refuse every dead letter for a while, and put a poison record on the topic"
    with refusing(10, DEAD_LETTER_TOPIC):
        end = publish([(post.id, mark)])
        with suppress(Wrong):
            settled(end, within=TRIES_SECONDS / slow())
        moved = int(stats()["next_offset"] or 0) >= end
    with going_on(end):
        require(
            not moved,
            did,
            expected="the projector to stay before this record and to try again",
            saw=f"it moved on to offset {end}",
            means="The letter is lost: Kafka does not have it, and the projector never reads the record"
            " again."
            " `send()` only puts it into a buffer. `_bury` in projector.py has to wait for the broker's"
            " acknowledgement (`.get(…)`) and must not hide its error.",
        )
        _passes(end, f"{did}; then let Kafka accept dead letters again")
    buried = [reason for value, reason in dead_letters() if mark in value]
    require(
        len(buried) == 1,
        f"{did}; then let Kafka accept dead letters again",
        expected="one dead letter",
        saw=f"{len(buried)} of them",
        means="The record was read until its letter was accepted. Each poison record has one letter.",
    )
    settled(publish([(post.id, post.body())]))
    seen = titles(post.user)
    require(seen == [post.words], f"{did}; put a good event behind it", expected="its entry", saw=seen,
            means="The rest goes on.")  # fmt: skip


@check(points=2)
@pytest.mark.disturbs
def test_one_letter_for_each_record(rng: Random) -> None:
    """While Redis refuses writes nothing is skipped, and a poison record gets one dead letter only"""
    mark = f"poison {time.time_ns()}".encode()
    post = Post(stranger(rng), "after a full Redis")
    before = stats()["counters"]["dead"]
    with redis() as client:
        most = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1)
        try:
            end = publish([(post.id, mark), (post.id, post.body())])
            time.sleep(TRIES_SECONDS)
        finally:
            client.config_set("maxmemory", most)
    did = f"let Redis refuse all writes for {TRIES_SECONDS} s, and published a poison record and a good event"
    with going_on(end):
        _passes(end, did)
    seen, dead = titles(post.user), stats()["counters"]["dead"] - before
    require(
        (seen, dead) == ([post.words], 1),
        did,
        expected="afterwards the good event's entry, and 1 more in the counter `dead`",
        saw=f"{seen or 'no entry'}, {dead} more",
        means="The offset moves only with the effects of its batch. What Redis refused is read and applied"
        " again. Look at `_apply` in projector.py and `apply` in projection.py.",
    )
    buried = [reason for value, reason in dead_letters() if mark in value]
    require(
        len(buried) == 1,
        did,
        expected="one dead letter",
        saw=f"{len(buried)} of them",
        means="The batch was read again at each try, and each time its poison record was buried again. The"
        " dead letters grow as long as Redis is full. `_bury` in projector.py has to remember up to which"
        " offset it has buried (`self._buried`).",
    )


@check(points=1)
def test_offset_is_committed(rng: Random) -> None:
    """After the effects the offset is committed to Kafka as well"""
    post = Post(stranger(rng), "committed")
    end = publish([(post.id, post.body())])
    settled(end)
    consumer = group_consumer(ENDPOINTS["kafka"], GROUP, "check")  # only asks, and joins no group
    try:
        # Others may publish meanwhile, and the commit follows the effects.
        deadline, seen = time.monotonic() + 5 * slow(), None
        while (seen := consumer.committed(PARTITION)) is None or seen < end:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        noted = int(stats()["next_offset"] or 0)
    finally:
        consumer.close()
    require(
        seen is not None and end <= seen <= noted,
        f"put an event on the topic, which now ends at {end}, and asked Kafka for the offset of {GROUP}",
        expected=f"{end}, the offset after the last record that was applied",
        saw="no offset" if seen is None else seen,
        means="Tools that watch consumer groups show a projector that never commits as more and more"
        " behind, and"
        " one that commits too early as further than it is. `_apply` in projector.py commits `following`"
        " after the effects.",
    )
