"""Records of other programs: the broker stores only what a consumer of 80 MiB can read, uncompressed."""

from contextlib import closing

import pytest
from feed_tools import forget, stats
from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError
from support import ENDPOINTS, backend, eventually, pid_of

from civildiy.chassis.clients.kafka import made
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, LONGEST_EVENT, POSTS_TOPIC

MIB = 2**20


def send(*values: bytes, compressed: bool) -> None:
    """Write records as a foreign program would, with a limit of its own that is no limit."""
    producer = made(
        KafkaProducer, bootstrap_servers=ENDPOINTS["kafka"], acks="all", enable_idempotence=False,
        max_request_size=64 * MIB, batch_size=MIB // 2, linger_ms=50, metrics_enabled=False,
        compression_type="gzip" if compressed else None,
    )  # fmt: skip
    with closing(producer):
        for future in [producer.send(POSTS_TOPIC, key=b"foreign", value=value) for value in values]:
            future.get(30)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_record_that_no_consumer_could_hold_is_refused(compressed: bool) -> None:
    """Compressed, these 20 MB are 20 KB. A projector that unpacked them was killed, again and again."""
    before = pid_of("feed-projector")
    with pytest.raises(MessageSizeTooLargeError):
        send(b"x" * 20 * MIB, compressed=compressed)
    assert backend.pid_of("feed-projector") == before


@pytest.mark.parametrize("compressed", [False, True])
def test_the_largest_records_are_dead_lettered(compressed: bool) -> None:
    """Each is a megabyte of small objects, which parsed would need 30 MB."""
    before, dead = pid_of("feed-projector"), stats()["counters"]["dead"]
    raw = b"[" + b'{"":{}},' * 125_000 + b"0]"
    assert len(raw) > LONGEST_EVENT
    for _ in range(5):
        send(raw, compressed=compressed)
    eventually(lambda: stats()["counters"]["dead"] == dead + 5, within=30, what="five dead letters")
    assert backend.pid_of("feed-projector") == before
    forget(DEAD_LETTER_TOPIC)


def test_a_compressed_batch_is_read_like_any_other() -> None:
    dead = stats()["counters"]["dead"]
    send(*[b"no event"] * 200, compressed=True)
    eventually(lambda: stats()["counters"]["dead"] == dead + 200, within=30, what="200 dead letters")
    forget(DEAD_LETTER_TOPIC)
