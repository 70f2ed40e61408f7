"""Kafka clients with the settings of this system. All of them block: never on an event loop.

Make every client of Kafka here. In kafka-python (3.0.12) a client that cannot reach the broker raises from
its constructor and leaves its I/O thread, a selector and two sockets behind, and nobody has the object that
could close them: a retry loop then leaks five threads per second.
"""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from civildiy.chassis.retry import FailureLog, until_stopped

log = logging.getLogger(__name__)

Client = TypeVar("Client")

DELIVERY_MS = 8_000
"""After this a record counts as not published; the relay then sends it again."""
RETRY_SECONDS = 0.2


def made(kind: Callable[..., Client], **settings: Any) -> Client:
    """A client of `kind` with `settings`; a failed one leaves nothing behind. Raises KafkaError."""
    networks: list[KafkaNetClient] = []

    def network(*arguments: Any, **options: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(*arguments, **options))
        return networks[-1]

    try:
        return kind(kafka_client=network, **settings)
    except BaseException:
        for begun in networks:
            begun.close()
        # Sockets of attempts that failed hang in cycles of references; without this they wait for chance.
        networks.clear()
        gc.collect()
        raise


def producer(bootstrap: str) -> KafkaProducer:
    """A producer whose records are acknowledged by the log, in order. Raises KafkaError.

    Not the idempotent one: in kafka-python it sends nothing more once a record has timed out, also when
    the broker is back. A record sent twice is one event for a consumer that goes by versions.
    """
    return made(
        KafkaProducer,
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
    return made(
        KafkaConsumer,
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


def admin(bootstrap: str, **settings: Any) -> KafkaAdminClient:
    """A client that changes topics and groups. Raises KafkaError."""
    return made(
        KafkaAdminClient, **{"bootstrap_servers": bootstrap, "bootstrap_timeout_ms": 2_000} | settings
    )


def is_member(bootstrap: str, group: str, member: str) -> bool:
    """Whether `member` (its static id) is in `group` and need only wait for its share. Raises KafkaError.

    A leader that joined before it knew the topic shares out nothing, and the broker hands that same nothing
    to every process that comes back under its name: in such a group nobody works, for good. Its members
    are then taken out of it, so that the next one to join makes a new plan.
    """
    broker = admin(bootstrap, request_timeout_ms=2_000)
    try:
        described = broker.describe_groups([group])[group]
        members = described["members"]
        if described["group_state"] == "Stable" and not any(_share(known) for known in members):
            names = {known["group_instance_id"] for known in members} - {None}
            broker.remove_group_members(group, [MemberToRemove(group_instance_id=name) for name in names])
            return False
    finally:
        broker.close()
    return any(known["group_instance_id"] == member for known in members)


def _share(member: Mapping[str, Any]) -> Sequence[object]:
    """The partitions that a member of a group was given, by topic."""
    return (member["member_assignment"] or {}).get("assigned_partitions") or ()


def reader(bootstrap: str) -> KafkaConsumer:
    """A consumer outside any group, to look at the topic. Raises KafkaError."""
    return made(
        KafkaConsumer,
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
    failures = FailureLog(log, (KafkaError,))
    return until_stopped(connect, failures, "Kafka does not answer", RETRY_SECONDS, (KafkaError,), stopped)
