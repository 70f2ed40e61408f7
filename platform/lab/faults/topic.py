"""Faults of the topic: records that a broker, a second producer or a bug could put on it."""

import secrets
import socket

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from civildiy.chassis.clients.kafka import producer, reader
from civildiy.contracts.posts.envelope import POSTS_TOPIC
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
    """Return key and value of the newest records of the topic, oldest first. Raises KafkaError."""
    partition = TopicPartition(POSTS_TOPIC, 0)
    consumer: KafkaConsumer = reader(address)
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        consumer.seek(partition, max(consumer.beginning_offsets([partition])[partition], end - count))
        found: list[Record] = []
        while consumer.position(partition) < end:
            records = consumer.poll(timeout_ms=2000).get(partition, [])
            found += [(record.key, record.value) for record in records if record.offset < end]
        return found
    finally:
        consumer.close()


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
