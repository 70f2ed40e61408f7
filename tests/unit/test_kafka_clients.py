"""A Kafka client whose constructor fails leaves no thread and no file descriptor behind."""

import gc
import logging
import re
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.base import MemberState
from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataResponse

from civildiy.chassis.clients import kafka
from lab.home import REPO

NOWHERE = "127.0.0.1:1"
"""A port at which nothing listens."""
KINDS = {"reader": KafkaConsumer, "producer": KafkaProducer, "admin": KafkaAdminClient}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Switch Python's garbage collector off: what a client leaves must not wait for it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(kind: str, no_collector: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")
    make: Callable[[], object] = partial(
        kafka.made, KINDS[kind], bootstrap_servers=NOWHERE, bootstrap_timeout_ms=100
    )
    process = psutil.Process()

    def level() -> tuple[int, int]:
        return threading.active_count(), process.num_fds()

    before = level()
    for _ in range(5):
        with pytest.raises(KafkaError):
            make()
    after = level()
    assert after[0] == before[0], [thread.name for thread in threading.enumerate()]
    assert after[1] <= before[1]


@pytest.fixture
def silent() -> Iterator[str]:
    """Yield the address of a server that accepts connections and never answers, as a paused broker does."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield "{}:{}".format(*server.getsockname())
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in accepted:
        connection.close()


def test_a_member_of_a_group_waits_for_a_silent_broker(silent: str) -> None:
    """A heartbeat that is overdue must not end the waiting: each turn costs memory until the request ends."""
    host, _, port = silent.partition(":")
    consumer = kafka.made(
        kafka.PatientConsumer, bootstrap_servers=silent, api_version=(2, 3), group_id="g",
        heartbeat_interval_ms=100, metrics_enabled=False,
    )  # fmt: skip
    try:
        partition = TopicPartition("t", 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        # What the broker said before it fell silent.
        cluster, coordinator = consumer._cluster, consumer._coordinator
        cluster._brokers = {1: MetadataResponse.MetadataResponseBroker(1, host, int(port), None)}
        leader = SimpleNamespace(leader_id=1, leader_epoch=-1, replica_nodes=[1])
        cluster._partitions = {"t": {0: leader}}
        coordinator.coordinator_id, coordinator.state = 1, MemberState.STABLE
        consumer.poll(200)  # the heartbeat is overdue from now on
        assert coordinator.time_to_next_heartbeat() == 0
        tracemalloc.start()
        for _ in range(4):
            assert consumer.poll(500) == {}
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        consumer.close(autocommit=False, timeout_ms=100)
    assert grown < 300_000


ALLOWED = (
    Path("tests/unit/test_kafka_clients.py"),
    # What a learner's own script does: the ordinary call of the library.
    Path("tests/live/test_notebook_start.py"),
    # The naive reference of `./lab bench`, which ends with its run.
    Path("platform/lab/bench/naive/consumer.py"),
    Path("platform/lab/bench/naive/service.py"),
)


def test_all_clients_are_made_in_one_place() -> None:
    """A client that is constructed elsewhere leaks when the broker is down."""
    constructed = re.compile(r"\bKafka(Consumer|Producer|AdminClient)\(")
    found = [
        path.relative_to(REPO)
        for folder in ("platform", "checks", "tests")
        for path in (REPO / folder).rglob("*.py")
        if constructed.search(path.read_text(encoding="utf-8"))
    ]
    assert [path for path in found if path not in ALLOWED] == []
