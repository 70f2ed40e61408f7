"""Kafka that refuses records for a while, by the settings of a topic."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.admin import ConfigResource, ConfigResourceType

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from grading.stack import ENDPOINTS


@contextmanager
def refusing(size: int, topic: str = POSTS_TOPIC) -> Iterator[None]:
    """Kafka refuses records of more than `size` bytes on the topic."""
    _largest(topic, str(size))
    try:
        yield
    finally:
        _largest(topic, "1048588")


@contextmanager
def refusing_as_too_old(topic: str = POSTS_TOPIC) -> Iterator[None]:
    """Kafka refuses each record as too old, however young it is: nothing that is the event's fault."""
    admin = admin_client(ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)

    def alter(change: object) -> None:
        configs = {"message.timestamp.before.max.ms": change}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])

    try:
        alter("0")
        yield
    finally:
        alter(("DELETE", None))
        admin.close()


def _largest(topic: str, value: str) -> None:
    admin = admin_client(ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": value})
        admin.alter_configs([resource])
    finally:
        admin.close()
