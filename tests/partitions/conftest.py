"""A topic that gets six partitions under load before the first of these tests, and has one after the last."""

from collections.abc import Iterator
from threading import Event

import pytest
from growing import Growth, Reader
from partitioned import PARTITIONS, lab, load, one_partition_again, without_leader
from support import ENDPOINTS, eventually

from civildiy.contracts.posts.topic_reader import count_partitions

HERE = __file__.rpartition("/")[0]
SECONDS_BEFORE = SECONDS_AFTER = 3.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.campaign)
            item.add_marker(pytest.mark.fault)


@pytest.fixture(scope="session", autouse=True)
def growth() -> Iterator[Growth]:
    """Grow from one partition to six under load, while nobody in the projectors' group watches the topic."""
    assert count_partitions(ENDPOINTS["kafka"]) == 1
    without_leader()
    pause = Event()
    try:
        with Reader() as reading:
            with load() as made:
                pause.wait(SECONDS_BEFORE)
                said = lab("partitions", str(PARTITIONS))
                pause.wait(SECONDS_AFTER)
            eventually(made.settled, within=30, what="the feed to show the last version of each post")
            eventually(
                lambda: {p: max(v) for p, v in reading.seen.items() if p in made.versions} == made.versions,
                within=30,
                what="the other consumer to read the last version of each post",
            )
        yield Growth(made, reading, said)
    finally:
        one_partition_again()
