"""A Kafka client whose constructor fails leaves no thread and no file descriptor behind."""

import gc
import logging
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

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
