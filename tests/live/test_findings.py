"""What `./lab hint` finds out about the running system, before it gives a hint."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from support import ENDPOINTS, Person, backend, eventually

from lab.course import live
from lab.course.exercise import exercise
from lab.course.options import lacking

KEPT = ("parked events", "dead letter topic")
"""Other tests leave such events behind, and they stay."""
LIST = "feed:activity:user:987654321"


@contextmanager
def list_of(length: int) -> Iterator[None]:
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port)) as redis:
        redis.rpush(LIST, *range(length))
        try:
            yield
        finally:
            redis.delete(LIST)


def found(lab: str) -> list[str]:
    return [one for one in live.LOOKS[lab](backend) if not any(kept in one for kept in KEPT)]


@pytest.mark.parametrize("lab", live.LOOKS)
def test_a_healthy_system_shows_no_problem(lab: str, ada: Person) -> None:
    if why := lacking(backend, exercise(lab)):
        pytest.skip(why)
    # A collector that has just started knows no unit until one has something to send.
    ada.post("A bench")
    eventually(lambda: not found(lab), within=20, what="nothing to be found")


def test_a_list_with_an_entry_too_many() -> None:
    with list_of(100):
        assert found("07") == []
    with list_of(101):
        (said,) = found("07")
    assert said.startswith(f"The list {LIST} has 101 entries, and 100 are allowed.")
    assert "`LTRIM key 0 99` keeps 100 entries" in said
