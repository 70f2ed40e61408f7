"""Kafka clients with the settings of this system. All of them block: never on an event loop."""

import logging
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

log = logging.getLogger(__name__)

Client = TypeVar("Client")

DELIVERY_MS = 8_000
"""After this a record counts as not published; the relay then sends it again."""


def producer(bootstrap: str) -> KafkaProducer:
    """A producer whose records are acknowledged by the log, in order. Raises KafkaError.

    Not the idempotent one: in kafka-python it sends nothing more once a record has timed out, also when
    the broker is back. A record sent twice is one event for a consumer that goes by versions.
    """
    return KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,  # keeps the order when a request is sent again
        linger_ms=0,
        # The broker alone decides what is too large for it.
        max_request_size=16 * 1024 * 1024,
        request_timeout_ms=5_000,
        delivery_timeout_ms=DELIVERY_MS,
        max_block_ms=5_000,
        reconnect_backoff_max_ms=500,
        bootstrap_timeout_ms=2_000,
        metrics_enabled=False,
    )


def group_consumer(bootstrap: str, group: str, member: str) -> KafkaConsumer:
    """A member of a consumer group that commits by hand. Raises KafkaError.

    `member` is the same after a restart (static membership), so a killed consumer goes on as soon
    as it is back, without waiting for its old session to end.
    """
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=member,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_500,
        fetch_max_wait_ms=500,
        reconnect_backoff_max_ms=500,
        bootstrap_timeout_ms=2_000,
        metrics_enabled=False,
        allow_auto_create_topics=False,
    )


def is_member(bootstrap: str, group: str, member: str) -> bool:
    """Whether the broker counts `member` (its static id) among the members of `group`. Raises KafkaError."""
    admin = KafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=2_000, bootstrap_timeout_ms=2_000
    )
    try:
        members = admin.describe_groups([group])[group]["members"]
    finally:
        admin.close()
    return any(known["group_instance_id"] == member for known in members)


def reader(bootstrap: str) -> KafkaConsumer:
    """A consumer outside any group, to look at the topic. Raises KafkaError."""
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=2_000,
        reconnect_backoff_max_ms=500,
        bootstrap_timeout_ms=2_000,
        metrics_enabled=False,
        allow_auto_create_topics=False,
    )


def until_connected(connect: Callable[[], Client], stopped: Event) -> Client | None:
    """Call `connect` until Kafka answers; None when `stopped` is set first."""
    said = False
    while not stopped.is_set():
        try:
            return connect()
        except KafkaError as error:
            if not said:
                log.warning("Kafka does not answer, trying until it does: %s", error)
            said = True
            stopped.wait(0.2)
    return None
