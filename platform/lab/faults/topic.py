"""Faults of the topic: records that a broker, a second producer or a bug could put on it."""

import secrets
import socket

from kafka import KafkaProducer

from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.contracts.posts.whole_topic import partitions_of
from lab.errors import LabError

Record = tuple[bytes, bytes]


def must_listen(address: str) -> None:
    """Raise LabError unless Kafka accepts connections there.

    Checked before Kafka's client is used, because the client leaks each socket whose connection was refused.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError as error:
        raise LabError(f"Kafka does not answer: {error}. See the state of all units: ./lab status") from error


def last_records(address: str, count: int) -> list[Record]:
    """Return key and value of the newest records of the topic, oldest first. Raises KafkaError.

    The records of several partitions are in the order of their times.
    """
    found: list[tuple[int, int, Record]] = []
    with partitions_of(address) as topics:
        for topic in topics:
            end = topic.end()
            topic.seek(max(topic.first(), end - count))
            found += [(r.timestamp, r.offset, (r.key, r.value)) for r in topic.until(end)]
    return [record for *_, record in sorted(found, key=lambda each: each[:2])[-count:]] if count else []


def publish(address: str, records: list[Record]) -> None:
    """Append records to the topic. Raises KafkaError."""
    log: KafkaProducer = producer(address)
    try:
        futures = [log.send(POSTS_TOPIC, key=key, value=value) for key, value in records]
        for future in futures:
            future.get(10)
    finally:
        log.close(timeout=5)


def duplicate(address: str, count: int) -> None:
    """Publish the newest `count` events again, unchanged."""
    publish(address, last_records(address, count))


def reorder(address: str, count: int) -> None:
    """Publish the newest `count` events again, newest first."""
    publish(address, last_records(address, count)[::-1])


def poison(address: str) -> None:
    """Publish records that no consumer can decode: no JSON, no envelope, an unknown version, no value."""
    mark = secrets.token_hex(6).encode()
    versions = b'{"specversion": "1.0", "type": "post.created", "schemaversion": 99, "id": "%b"}'
    values = [b"\xff\xfe poison " + mark, b"[1, 2, 3]", versions % mark, b'{"type": 7}', b""]
    publish(address, [(b"poison-" + mark, value) for value in values])
