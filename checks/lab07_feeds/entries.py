"""The content of an entry and its place in the list, in whatever order the events arrive."""

import json
from datetime import datetime, timedelta
from random import Random

from grading.events import START, Post, project, redis, stranger, titles
from grading.outcome import require
from grading.people import Person
from grading.plugin import check

from civildiy.feed import keys


@check(points=2)
def test_entry_tells_everything(ada: Person) -> None:
    """An entry holds all fields of its event"""
    first = Post(ada.id, 'first "words", \u00e9\u4e16')
    post = first.changed('the words, "quoted", with \u00e9, \u4e16 and \U0001f469\u200d\U0001f680')
    event = json.loads(post.body())
    event["data"]["tags"] = ["one", "two, with a comma"]
    project((first, first.body()), (post, json.dumps(event).encode()))
    items = ada.http.get("/api/activity-stream/user").json()["items"]
    wanted = {name: event["data"][name] for name in ("post_id", "user_id", "title", "content", "tags")} | {
        "event_id": event["id"],
        "event_type": event["type"],
        "version": event["postversion"],
        "timestamp": datetime.fromisoformat(event["time"]),
        "created_at": datetime.fromisoformat(event["data"]["created_at"]),
    }
    seen = [{name: _moment(item.get(name)) for name in wanted} for item in items]
    other = [name for one in seen for name in wanted if one[name] != wanted[name]]
    require(
        len(seen) == 1 and not other,
        "put a post and a change of it on the topic, then read its author's stream through the gateway",
        expected=f"one entry with {', '.join(wanted)} as the last event says them",
        saw=[f"{name}: {seen[0][name]!r} instead of {wanted[name]!r}" for name in other]
        or f"{len(seen)} entries",
        means="Readers get these bytes unchanged, so a field that is missing here is missing for all"
        " readers. Look at `feed_entry` in projection.py.",
    )


def _moment(value: object) -> object:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


@check(points=2)
def test_newest_first_by_event_time(rng: Random) -> None:
    """Newest first, by the time of the event and not by its arrival"""
    user = stranger(rng)
    posts = [Post(user, f"minute {n}", at=START + timedelta(minutes=n)) for n in range(6)]
    rng.shuffle(posts)
    project(*((post, post.body()) for post in posts))
    wanted, seen = [f"minute {n}" for n in range(5, -1, -1)], titles(user)
    require(
        seen == wanted,
        "six events, in another order than they happened",
        expected=wanted,
        saw=f"{seen} from {[post.words for post in posts]}",
        means="Events arrive late and in any order. The list is ordered by the event's time, which begins"
        " each entry. Look at `feed_entry` and SCRIPT in projection.py.",
    )
    old = next(post for post in posts if post.words == "minute 2")
    new = Post(user, "minute 2, changed in 4", old.id, 2, START + timedelta(minutes=4, seconds=30))
    project((new, new.body()))
    wanted, seen = ["minute 5", new.words, "minute 4", "minute 3", "minute 1", "minute 0"], titles(user)
    require(
        seen == wanted,
        "changed one of the six later: the event's time is between those of two others",
        expected=wanted,
        saw=seen,
        means="A changed post leaves its old place and goes to the place of the new time. SCRIPT in"
        " projection.py removes the old entry and inserts the new one.",
    )


@check(points=3)
def test_duplicate_and_late_events(rng: Random) -> None:
    """Duplicated, late and out-of-order events change nothing"""
    first = Post(stranger(rng), "first words")
    second = first.changed("second words")
    third = second.changed("third words")
    bodies = {post.version: post.body() for post in (first, second, third)}
    for order in ((1, 1, 2), (1, 3, 2), (3, 3, 1)):
        project(*((first, bodies[version]) for version in order))
        wanted = "second words" if order == (1, 1, 2) else "third words"
        seen = titles(first.user)
        require(
            seen == [wanted],
            f"versions {order} of one post, in this order",
            expected=[wanted],
            saw=seen,
            means="Kafka delivers at least once, so events come again and late. SCRIPT in projection.py"
            " compares the versions first, and changes nothing for a version that is not higher.",
        )


@check(points=1)
def test_times_can_be_compared(rng: Random) -> None:
    """Times in entries have one form, so that the order of their text is the order of time"""
    user = stranger(rng)
    second = START + timedelta(seconds=rng.randrange(10**6))
    wanted = {
        "with 500 ms": second + timedelta(milliseconds=500),
        "with 250 ms": second + timedelta(milliseconds=250),
        "on the second": second,
    }
    for words, at in reversed(wanted.items()):
        post = Post(user, words, at=at)
        project((post, post.body()))
    seen = titles(user)
    require(
        seen == [*wanted],
        "projected three posts in the order of their times: on a full second, 250 ms and 500 ms later",
        expected=f"newest first: {[*wanted]}",
        saw=seen,
        means="The script compares times as text. Without fractions '…00Z' comes after '…00.250000Z'. In"
        " projection.py, `feed_entry` has to write each time with `timestamp()`: always 27 characters.",
    )


@check(points=2)
def test_versions_are_numbers(rng: Random) -> None:
    """Version 10 is later than version 9, and 9 is late after 10"""
    user = stranger(rng)
    post = Post(user, "version 8", version=8)
    project((post, post.body()))
    for version, wanted in ((9, 9), (10, 10), (9, 10), (11, 11), (100, 100), (12, 100), (1000, 1000)):
        at = START + timedelta(seconds=version)
        new = Post(user, f"version {version}", post.id, version, at)
        project((new, new.body()))
        seen = titles(user)
        require(
            seen == [f"version {wanted}"],
            f"projected version {version} of a post; its latest version is now {wanted}",
            expected=[f"version {wanted}"],
            saw=seen,
            means="Redis hands versions to the script as text, and as text '10' is smaller than '9'. In"
            " projection.py, `SCRIPT` has to compare numbers: `tonumber(…)` on both sides.",
        )


@check(points=2)
def test_removal_comes_first(rng: Random) -> None:
    """An event that arrives after the removal of its post changes nothing, even if the view never had it"""
    first = Post(stranger(rng), "removed long ago")
    second = first.changed("removed long ago")
    last = second.changed("")
    for order in ((first,), (second,), (first, second)):
        project((last, last.body(removed=True)), *((late, late.body()) for late in order))
        seen = titles(first.user)
        require(
            seen == [],
            "projected the removal (version 3) of a post that the view had never seen, then its versions"
            f" {[late.version for late in order]}",
            expected="no entry",
            saw=seen,
            means="A removal leaves the version in the post's hash, also when there was nothing to remove."
            " Otherwise a late event brings the post back to life. Look at `SCRIPT` in projection.py.",
        )


@check(points=2)
def test_update_and_delete(rng: Random) -> None:
    """An update shows the new text; a deletion removes the text everywhere"""
    secret = f"secret{rng.getrandbits(60):x}"
    post = Post(stranger(rng), secret)
    project((post, post.body()))
    new = post.changed("new words")
    project((new, new.body()))
    require(
        titles(post.user) == ["new words"] and secret not in titles(),
        "created a post and changed it",
        expected="the new words once, the old ones nowhere",
        saw=f"{titles(post.user)}; old words in the global list: {secret in titles()}",
        means="An entry shows the present state of a post, so there is one entry for each post. SCRIPT in"
        " projection.py removes the old entry, which the hash holds, from both lists.",
    )
    gone = new.changed(secret)
    project((gone, gone.body()))
    last = gone.changed("")
    project((last, last.body(removed=True)))
    with redis() as client:
        lists = {key: client.lrange(key, 0, -1) for key in (keys.GLOBAL, keys.of_user(post.user))}
        left = [key for key, items in lists.items() if secret in str(items)]
        for key in client.scan_iter(match=f"*{post.id}*", count=1000):
            if client.type(key) in (b"hash", b"string"):
                held = client.hgetall(key) if client.type(key) == b"hash" else client.get(key)
                left += [key.decode()] if secret in str(held) else []
    require(
        not left,
        "deleted the post and looked for its text in Redis",
        expected="nowhere",
        saw=left,
        means="The text of a deleted post is still in Redis. SCRIPT in projection.py has to remove the"
        " entry from both lists and to delete the field `entry` of the hash.",
    )
    project((gone, gone.body()))
    means = (
        "A late event brought a deleted post back. The hash has to keep the removed post's version."
        " Look at SCRIPT in projection.py."
    )
    seen = titles(post.user)
    require(seen == [], "sent an older event after the delete", expected="nothing", saw=seen, means=means)
