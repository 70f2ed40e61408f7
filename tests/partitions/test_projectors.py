"""Several projectors on six partitions: one is killed, one comes back as a zombie, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zombie
from feed_tools import stats
from kafka import TopicPartition
from partitioned import PARTITIONS, consistent, load, right_on_the_topic, view
from support import ENDPOINTS, backend, eventually, kill

from civildiy.chassis.clients.kafka import admin
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.feed import keys
from civildiy.feed.projector.group import GROUP
from lab.backends.settings import read
from lab.home import PLATFORM

SECOND = "feed-projector-2"
SESSION_SECONDS = 6
ALL = {TopicPartition(POSTS_TOPIC, number) for number in range(PARTITIONS)}


def shares() -> dict[str, set[int]]:
    """Return the partitions of each member; {} while the group assigns them."""
    with closing(admin(ENDPOINTS["kafka"])) as broker:
        described = broker.describe_groups([GROUP])[GROUP]
    if described["group_state"] != "Stable":
        return {}
    return {
        member["group_instance_id"]: {
            number for topic in (member["member_assignment"] or {}).get("assigned_partitions", ())
            for number in topic["partitions"]
        }
        for member in described["members"]
    }  # fmt: skip


def divided(*members: str) -> bool:
    """Return whether exactly these members have all partitions, each of them some."""
    found = shares()
    return set(found) == {*members} and all(found.values()) and sum(map(len, found.values())) == PARTITIONS


@pytest.fixture(autouse=True)
def second() -> Iterator[None]:
    """Run a second projector, and leave one afterwards."""
    backend.start_unit(SECOND)
    try:
        eventually(lambda: divided("feed-projector", SECOND), within=30, what="two projectors to share")
        yield
    finally:
        backend.stop_unit(SECOND)
        eventually(lambda: divided("feed-projector"), within=30, what="one projector to have everything")


def passed() -> int:
    found = stats()["counters"]
    return int(found["applied"] + found["stale"])


def records() -> int:
    return sum(one["next_offset"] or 0 for one in stats()["partitions"])


def test_one_of_two_is_killed_under_load() -> None:
    with load() as made:
        time.sleep(2)
        for unit in (SECOND, "feed-projector", SECOND):
            kill(unit)
            time.sleep(2)
    eventually(made.settled, within=60, what="the feed to show the last version of each post")
    assert made.refused == []
    right_on_the_topic(made)
    consistent()


@contextmanager
def third(trigger: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a third projector that pauses itself once `trigger` exists; its output goes to `log`."""
    settings = read("feed-projector", backend.variables()) | {"PROJECTOR_ID": "zombie"}
    environment = os.environ | settings | {"PYTHONPATH": str(PLATFORM)}
    command = [sys.executable, "-P", zombie.__file__, str(trigger)]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def test_a_zombie_is_fenced(tmp_path: Path) -> None:
    trigger, log = tmp_path / "pause", tmp_path / "log"
    before = passed() - records()
    with third(trigger, log) as process:
        eventually(lambda: divided("feed-projector", SECOND, "zombie"), within=40, what="three to share")
        its = shares()["zombie"]
        with load() as made:
            time.sleep(2)
            trigger.touch()
            eventually(lambda: "paused" in log.read_text(), within=30, what="the zombie to pause")
            # The broker misses it, and gives its partitions to the others, who go on under load.
            eventually(lambda: divided("feed-projector", SECOND), within=40, what="the others to take over")
            epochs = _epochs(its)
            eventually(lambda: not {e for e in _epochs(its) if "zombie" in e}, within=20, what="new epochs")
            assert epochs
            process.send_signal(signal.SIGCONT)
            said = "another projector owns partition"
            eventually(lambda: said in log.read_text(), within=30, what="the zombie to notice")
            eventually(
                lambda: divided("feed-projector", SECOND, "zombie"), within=40, what="it to join again"
            )
            time.sleep(1)
        eventually(made.settled, within=60, what="the feed to show the last version of each post")
    eventually(lambda: divided("feed-projector", SECOND), within=40, what="the third to be missed")
    assert made.refused == []
    assert passed() - records() == before, "each record was counted once, by the projector that stored it"
    right_on_the_topic(made)
    consistent()


def _epochs(numbers: set[int]) -> set[str]:
    with view() as redis:
        return {(redis.get(keys.epoch_of(number)) or b"").decode() for number in numbers}
