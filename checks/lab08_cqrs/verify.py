"""The view compared with the posts."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from grading.events import redis
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.tools import tool
from redis import Redis

from civildiy.feed import keys
from civildiy.operations.view_diff import EVERYBODY
from lab08_cqrs.stream import filled


@check(points=4)
@pytest.mark.disturbs
def test_verify_finds_what_is_planted(ada: Person, bob: Person, rng: Random) -> None:
    """verify names each planted fault, and nothing that is right"""
    ids = filled(ada, 8)
    both = filled(bob, 2)
    mine, theirs = keys.of_user(ada.id), keys.of_user(bob.id)
    gone = f"{rng.getrandbits(96):024x}"

    def found() -> set[tuple[str, str, str]]:
        """Kind, post and place of what verify says of these persons' lists and posts."""
        findings = tool("feed-verify")["findings"]
        about = [f for f in findings if f["place"] in (mine, theirs) or f["post_id"] in (*ids, *both)]
        return {(f["kind"], f["post_id"], f["place"]) for f in about}

    def knowledge() -> set[str]:
        """Kinds of what verify says of what the view knows of these posts, and of the removed one."""
        places = {keys.of_post(post_id) for post_id in (*ids, gone)}
        return {f["kind"] for f in tool("feed-verify")["findings"] if f["place"] in places}

    clean = found()
    require(
        not clean,
        "./lab verify while the view is right",
        expected="nothing about this person's posts",
        saw=clean,
        means="A false finding hides a real one. Nothing is wrong here, so there must be no finding. Look"
        " at `compare_list` in verify.py.",
    )
    with redis() as client:
        good = client.lrange(mine, 0, -1)
        spoilt = [*good]
        spoilt[6] = good[6].replace(b'"title":"1"', b'"title":"0"')  # stale words
        spoilt[2] = good[2].replace(ids[2].encode(), gone.encode())  # one missing, one too many
        spoilt.insert(1, spoilt.pop(5))  # at the wrong place
        spoilt.append(good[7])  # twice
        spoilt.insert(0, bytes(client.lindex(theirs, 0) or b""))  # of another person, and the newest
        wanted = {
            ("stale", ids[6], mine),
            ("missing", ids[2], mine),
            ("surplus", gone, mine),
            ("misplaced", ids[5], mine),
            ("surplus", ids[7], mine),
            ("misplaced", both[0], mine),
            *(("missing", post, theirs) for post in both),
            ("missing", ids[0], EVERYBODY),
        }
        with borrowed(client, mine, theirs), taken_out(client, keys.GLOBAL, good[0]):
            client.delete(mine, theirs)
            client.rpush(mine, *spoilt)
            seen = found()
    require(
        seen == wanted,
        "planted in a list of 8 a stale, a missing, a surplus, a doubled and a misplaced entry, and one of"
        " another person; took that person's list away, and an entry out of everybody's; then ./lab verify",
        expected=f"these {len(wanted)}, by kind, post and place",
        saw=f"not found: {sorted((kind, place) for kind, _, place in wanted - seen)};"
        f" found besides: {sorted((kind, place) for kind, _, place in seen - wanted)}",
        means="Equal lengths prove nothing. Compare each list entry by entry, also a list that does not"
        " exist. Look at `compare_list` in verify.py.",
    )
    with redis() as client, borrowed(client, *(keys.of_post(post_id) for post_id in (ids[3], ids[4], gone))):
        client.hset(keys.of_post(ids[3]), "version", 99)
        client.delete(keys.of_post(ids[4]))
        client.hset(keys.of_post(gone), mapping={"version": 1, "entry": b"{}"})
        kinds = knowledge()
    require(
        kinds == {"stale", "missing", "surplus"},
        "planted a wrong version, took one away, added one of a post that never was; then ./lab verify",
        expected="stale, missing and surplus",
        saw=sorted(kinds),
        means="The view refuses late events by these versions, so a wrong one makes it ignore the next"
        " change. Look at `compare_known` in verify.py.",
    )


@contextmanager
def taken_out(client: Redis, name: str, entry: bytes) -> Iterator[None]:
    """An entry is out of a list that others may write to, and afterwards at its place again."""
    entries = client.lrange(name, 0, -1)
    follower = entries[entries.index(entry) + 1]
    client.lrem(name, 1, entry)  # type: ignore[arg-type]
    try:
        yield
    finally:
        client.linsert(name, "BEFORE", follower, entry)  # type: ignore[arg-type]


@contextmanager
def borrowed(client: Redis, *names: str) -> Iterator[None]:
    """Keys of Redis that are as they were afterwards."""
    kept = {name: client.dump(name) for name in names}
    try:
        yield
    finally:
        for name, value in kept.items():
            client.delete(name)
            if value is not None:
                client.restore(name, keys.POST_SECONDS * 1000, value)
