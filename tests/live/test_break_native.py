"""Faults that only the native backend can inject: an engine has no such limit and no second clock."""

from collections.abc import Iterator

import pytest
from support import ENDPOINTS, Person, backend, eventually, home

from lab.deadlines import slow
from lab.faults import break_, ledger
from lab.faults.catalog import fault
from lab.probes import local_http

pytestmark = [
    pytest.mark.fault,
    pytest.mark.campaign,
    pytest.mark.skipif(backend.kind != "native", reason="the native backend's faults"),
]


@pytest.fixture(autouse=True)
def healed() -> Iterator[None]:
    yield
    break_.heal_all(home, backend)


def redis_refuses() -> bool:
    return local_http.get(f"{ENDPOINTS['feed']}/ready", timeout=5).status_code == 503


def test_clock_skew_makes_good_tokens_too_young() -> None:
    person = Person()
    break_.start(home, backend, fault("clock-skew"), "auth", 30 * slow())

    def status() -> int:
        return person.http.get("/api/activity-stream/user").status_code

    eventually(lambda: status() == 401, within=15, what="the token to be refused")
    break_.heal_all(home, backend)
    eventually(lambda: status() == 200, within=15, what="the token to be good again")


def test_a_full_disk_ends_by_itself() -> None:
    seconds = 3 * slow()
    break_.start(home, backend, fault("full-disk"), "redis", seconds)
    eventually(redis_refuses, within=4, what="Redis to refuse writes")
    eventually(lambda: not ledger.entries(home), within=seconds + 15, what="the end of full-disk")
    eventually(lambda: not redis_refuses(), within=15, what="Redis to be well")


def test_a_post_written_while_the_disk_is_full_is_not_lost() -> None:
    person = Person()
    break_.start(home, backend, fault("full-disk"), "redis", 30 * slow())
    eventually(redis_refuses, within=5, what="Redis to refuse writes")
    post = person.post("on a full disk")
    assert person.feed() == []  # reads go on
    break_.heal_all(home, backend)
    eventually(lambda: [i["post_id"] for i in person.feed()] == [post["id"]], within=20, what="the post")
