"""kafka-python's clients with the settings of this system. They block: never use them on an event loop.

Every client of Kafka must be made here. In kafka-python (3.0.12) a client that cannot reach the broker raises
from its constructor and leaves its I/O thread, a selector and two sockets behind, and the caller has no
object that could close them. A retry loop then leaks five threads per second.
"""

import logging
import math
from collections.abc import Callable
from socket import socket
from threading import Event
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

from civildiy.chassis.observability import telemetry
from civildiy.chassis.retry import FailureLog, until_stopped

log = logging.getLogger(__name__)

Client = TypeVar("Client")

DELIVERY_MS = 8_000
"""After this a record counts as not published; the relay then sends it again."""
RETRY_SECONDS = 0.2
MOST_RECORDS = 500
"""A member of a group gets at most so many records at once, also when they are small."""


class ClosedOnFailure(KafkaNetSocket):  # type: ignore[misc]
    """Connects directly, and closes the socket of an attempt that fails.

    kafka-python leaves that socket in a reference cycle. A client that waits for a broker tries twice a
    second or more often, and Python's garbage collector finds a cycle only after thousands of new objects.
    kafka-python chooses the class by the scheme of `proxy_url`.
    """

    SCHEMES = ("direct",)
    URL = "direct://"

    async def sock_connect(
        self, net: Any, sock: socket, sockaddr: Any, timeout_at: float | None = None
    ) -> Any:
        """Return the connected socket. Raises what kafka-python raises."""
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


def made(kind: Callable[..., Client], **settings: Any) -> Client:
    """Return a client of `kind` with `settings`; a failed one leaves nothing behind. Raises KafkaError."""
    networks: list[KafkaNetClient] = []

    def network(*arguments: Any, **options: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(*arguments, **options))
        return networks[-1]

    try:
        return kind(kafka_client=network, proxy_url=ClosedOnFailure.URL, **settings)
    except BaseException:
        for begun in networks:
            begun.close()
        raise


def producer(bootstrap: str) -> KafkaProducer:
    """Return a producer whose records the broker acknowledges in their order. Raises KafkaError.

    It is not the idempotent producer: in kafka-python that one sends nothing more once a record has timed
    out, even when the broker is back. A consumer recognises a record that was sent twice by the post's
    version.
    """
    return made(
        _producer_kind(),
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


def _producer_kind() -> Any:
    if not telemetry.is_on():
        return KafkaProducer
    from civildiy.chassis.observability.stores.kafka import TracedProducer

    return TracedProducer


class PatientConsumer(KafkaConsumer):  # type: ignore[misc]
    """Waits for records, however late a heartbeat is.

    kafka-python's `poll` stops waiting when the next heartbeat is due, although the I/O thread sends the
    heartbeats. A broker that is paused, or that starts on a busy machine, accepts connections and answers
    nothing. Then the heartbeat stays due, and each wait lasts 0 ms: `poll` uses a whole core, and every turn
    adds callbacks to the request that is not answered, several MB per second for up to 30 s.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._coordinator.time_to_next_poll = lambda: math.inf  # `poll` takes the smaller one of two waits


def group_consumer(bootstrap: str, group: str, member: str) -> KafkaConsumer:
    """Return a member of a consumer group that commits its offsets explicitly. Raises KafkaError.

    `member` is the same after a restart (static membership). So a killed consumer continues as soon as it is
    back, and does not wait until its old session ends.
    """
    return made(
        PatientConsumer,
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=member,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_500,
        fetch_max_wait_ms=500,
        max_poll_records=MOST_RECORDS,
        metadata_max_age_ms=5_000,  # how soon the group notices that its topic has more partitions
        reconnect_backoff_max_ms=500,
        bootstrap_timeout_ms=2_000,
        metrics_enabled=False,
        allow_auto_create_topics=False,
    )


def admin(bootstrap: str, **settings: Any) -> KafkaAdminClient:
    """Return a client that changes topics and groups. Raises KafkaError."""
    return made(
        KafkaAdminClient, **{"bootstrap_servers": bootstrap, "bootstrap_timeout_ms": 2_000} | settings
    )


def reader(bootstrap: str) -> KafkaConsumer:
    """Return a consumer outside any group, which reads a topic. Raises KafkaError."""
    return made(
        KafkaConsumer,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        metadata_max_age_ms=5_000,  # how soon a reader that stays notices more partitions
        request_timeout_ms=2_000,
        reconnect_backoff_max_ms=500,
        bootstrap_timeout_ms=2_000,
        metrics_enabled=False,
        allow_auto_create_topics=False,
    )


def until_connected(connect: Callable[[], Client], stopped: Event) -> Client | None:
    """Call `connect` until Kafka answers, and return its client; None when `stopped` is set first."""
    failures = FailureLog(log, (KafkaError,))
    return until_stopped(connect, failures, "Kafka does not answer", RETRY_SECONDS, (KafkaError,), stopped)
