"""Lab 07: what the projector makes of events that the checks put on the topic."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from grading.events import (
    START,
    Post,
    bury,
    dead_letters,
    project,
    publish,
    redis,
    settled,
    stats,
    stranger,
    take_back,
    titles,
)
from grading.outcome import Wrong, require
from grading.people import Person
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually
from grading.tools import tool

from civildiy.events.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC, decode
from civildiy.events.topic import Topic
from civildiy.feed import keys
from lab.course.running import is_waiting
from lab.errors import LabError
from lab.readiness import slow

RATE = 5_000
"""Events per second that a projector has to manage on a machine that has nothing else to do …"""
TIMES = 30
"""… or so many times as long as this machine now takes to decode the same events.

With 20 the platform itself failed once, in a run on two workers: 4.6 s, and 0.2 s to decode them.
"""


@pytest.fixture(autouse=True)
def tidy(gradable: None) -> Iterator[None]:
    """The posts of these checks are in no database: they leave the view as well."""
    yield
    take_back()


@check(points=2)
def test_entry_tells_everything(ada: Person) -> None:
    """An entry tells all that its event says of the post"""
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
        means="Readers get these bytes as they are: what is not in the entry nobody can show.",
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
        means="Events arrive late and in any order; readers want the order in which things happened.",
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
        means="The stream shows what happened last: a change takes its post to the place of its own time.",
    )


@check(points=2)
def test_lengths() -> None:
    """A person's list holds 100 entries and everybody's 1000, and not one more"""
    rng = Random()  # other users each time: these lists are looked at as a whole
    one, others = stranger(rng), [stranger(rng) for _ in range(11)]
    late = START + timedelta(days=300, seconds=rng.randrange(10**6))
    mine = [Post(one, f"mine {n}", at=late + timedelta(milliseconds=n)) for n in range(103)]
    theirs = [Post(user, f"{n}", at=late + timedelta(seconds=n)) for user in others for n in range(90)]
    project(*((post, post.body()) for post in [*mine, *theirs]))
    seen, everybody = titles(one), len(titles())
    require(
        len(seen) == 100 and seen[0] == "mine 102" and seen[-1] == "mine 3",
        "103 posts of one person",
        expected="the newest 100: 'mine 102' to 'mine 3'",
        saw=f"{len(seen)} from {seen[:1]} to {seen[-1:]}",
        means="LTRIM counts from 0 and keeps both ends.",
    )
    require(
        everybody == 1000,
        "1093 posts of twelve persons",
        expected="1000 in everybody's list",
        saw=everybody,
        means="LTRIM counts from 0 and keeps both ends.",
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
            means="Kafka delivers at least once. Only the version tells what is old.",
        )


@check(points=2)
def test_update_and_delete(rng: Random) -> None:
    """An update shows the new words; a delete removes the words everywhere"""
    secret = f"secret{rng.getrandbits(60):x}"
    post = Post(stranger(rng), secret)
    project((post, post.body()))
    new = post.changed("new words")
    project((new, new.body()))
    require(
        titles(post.user) == ["new words"] and secret not in titles(),
        "created a post and changed it",
        expected="the new words once, the old ones nowhere",
        saw=f"{titles(post.user)}; old words in everybody's list: {secret in titles()}",
        means="An entry is a state of a post, not a message about it.",
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
        "deleted the post and looked for its words in Redis",
        expected="nowhere",
        saw=left,
        means="Who deletes a post wants its words gone, also from places nobody reads.",
    )
    project((gone, gone.body()))
    means = "A late event must not bring a deleted post back."
    seen = titles(post.user)
    require(seen == [], "sent an older event after the delete", expected="nothing", saw=seen, means=means)


@check(points=1)
def test_lists_expire(rng: Random) -> None:
    """Lists that nobody adds to expire, and so does what is known of a post, only later"""
    post = Post(stranger(rng), "words")
    with redis() as client:
        client.persist(keys.GLOBAL)  # what somebody set earlier must not count
        project((post, post.body()))
        for key, name in ((keys.GLOBAL, "everybody's list"), (keys.of_user(post.user), "one person's list")):
            seconds = int(str(client.ttl(key)))
            require(
                0 < seconds <= keys.LIST_SECONDS + 1,
                f"asked Redis for the TTL of {name}",
                expected=f"at most {keys.LIST_SECONDS} s",
                saw=f"{seconds} s" if seconds >= 0 else "no expiry",
                means="Without an expiry Redis keeps the lists of everybody who ever wrote.",
            )
            client.expire(key, 1000)
        new = post.changed("new words")
        project((new, new.body()))
        seen = [int(str(client.ttl(key))) for key in (keys.GLOBAL, keys.of_user(post.user))]
        require(
            all(left > keys.LIST_SECONDS - 1000 for left in seen),
            "let both lists have 1000 s left, then changed a post in them",
            expected=f"{keys.LIST_SECONDS} s again for each",
            saw=[f"{left} s" for left in seen],
            means="A list to which somebody adds may not end in the middle of it: each event renews it.",
        )
        last = new.changed("")
        project((last, last.body(removed=True)))
        left = int(str(client.ttl(keys.of_post(post.id))))
    require(
        keys.LIST_SECONDS < left <= keys.POST_SECONDS + 1,
        "removed the post, and asked Redis for the TTL of what the view knows of it",
        expected=f"longer than Kafka keeps its events, at most {keys.POST_SECONDS} s",
        saw=f"{left} s" if left >= 0 else {-1: "no expiry", -2: "no such key"}.get(left, left),
        means="Its version is for late events. When none can come any more it is only a waste of memory.",
    )


@check(points=1)
def test_forgotten_post(rng: Random) -> None:
    """An entry whose post Redis has forgotten is found all the same, and replaced or removed"""
    # Newer than what others wrote: a full list of everybody's would keep nothing older.
    soon = datetime.now(UTC) + timedelta(minutes=1)
    post = Post(stranger(rng), f"old words {rng.getrandbits(60):x}", at=soon)
    new = post.changed(f"new words {rng.getrandbits(60):x}")
    gone = new.changed("")
    did = "let the post's hash expire, as its lists live on with what others write;"
    project((post, post.body()))
    for what, state, wanted in (("changed it", new, [new.words]), ("deleted it", gone, [])):
        with redis() as client:
            client.delete(keys.of_post(post.id))
        project((state, state.body(removed=not wanted)))
        everybodys = [words for words in titles() if words in (post.words, new.words)]
        require(
            (titles(post.user), everybodys) == (wanted, wanted),
            f"{did} then {what}",
            expected=f"{'the new words once' if wanted else 'nothing of it'} in both lists",
            saw=f"{titles(post.user)} in the person's and {everybodys} in everybody's, new: {wanted}",
            means="A version above 1 says that there may be an entry of which nothing is known: look for it.",
        )


@check(points=2)
@pytest.mark.disturbs
def test_redis_forgets_scripts(rng: Random) -> None:
    """When Redis has forgotten all scripts the projector goes on"""
    post = Post(stranger(rng), "before")
    new = post.changed("after")
    project((post, post.body()))
    with redis() as client:
        client.script_flush()
    end = publish([(new.id, new.body())])
    try:
        with suppress(Wrong):
            settled(end, within=3)
        seen = titles(post.user)
    finally:
        if int(stats()["next_offset"] or 0) < end:
            with suppress(LabError):  # or nothing that follows could be judged
                backend.signal("feed-projector", signal.SIGKILL)
    require(
        seen == ["after"],
        "projected a post, made Redis forget its scripts as a restart does, and changed the post",
        expected=["after"],
        saw=seen,
        means="Redis keeps scripts in memory only. Who calls one by its hash must be able to load it again.",
    )


@check(points=2)
def test_lists_do_not_mix(ada: Person, bob: Person) -> None:
    """Two people's lists never mix"""
    mine, theirs = Post(ada.id, "of Ada"), Post(bob.id, "of Bob")
    project((mine, mine.body()), (theirs, theirs.body()))
    for person, wanted in ((ada, "of Ada"), (bob, "of Bob")):
        items = person.http.get("/api/activity-stream/user").json()["items"]
        seen = [item["title"] for item in items]
        means = "A person's own stream holds that person's posts."
        require(
            seen == [wanted],
            "read both streams through the gateway",
            expected=[wanted],
            saw=seen,
            means=means,
        )


@check(points=3)
@pytest.mark.disturbs
def test_poison_and_unknown_events(rng: Random) -> None:
    """Poison goes to the dead letters with its reason, unknown types are counted; the rest goes on"""
    before = stats()["counters"]
    mark = f"poison {time.time_ns()}"  # new in each run: dead letters stay on their topic
    after = Post(stranger(rng), "after the poison")
    unknown = json.loads(after.body()) | {"type": "post.applauded", "id": mark}
    broken = json.loads(after.body()) | {"id": mark, "postversion": "many"}
    records = [
        (after.id, mark.encode()),
        (after.id, json.dumps(broken).encode()),
        (after.id, json.dumps(unknown).encode()),
        (after.id, after.body()),
    ]
    with Topic(ENDPOINTS["kafka"], DEAD_LETTER_TOPIC) as dead:
        dead_before = dead.end()
    settled(publish(records))
    seen = titles(after.user)
    did = "two events that cannot be read, one of an unknown type, then a good one"
    means = "One bad event must not hold up all others."
    require(seen == ["after the poison"], did, expected="the good one in the list", saw=seen, means=means)
    buried = [reason for value, reason in dead_letters() if mark.encode() in value]
    require(
        len(buried) == 2 and all(buried),
        did,
        expected="two dead letters, each with a header 'reason'",
        saw=buried,
        means="Somebody has to find out later what was wrong, and send it again.",
    )
    with Topic(ENDPOINTS["kafka"], DEAD_LETTER_TOPIC) as dead, Topic(ENDPOINTS["kafka"]) as posts:
        dead.seek(dead_before)
        letters = [letter for letter in dead.until(dead.end()) if mark.encode() in letter.value]
        found = [_origin(posts, dict(letter.headers)) for letter in letters]
    require(
        [letter.key for letter in letters] == [after.id.encode()] * 2
        and found == [letter.value for letter in letters],
        did,
        expected="each dead letter with the key of its record, and headers 'topic', 'partition' and 'offset'"
        " that lead to it",
        saw=[
            f"key {letter.key}, headers {[name for name, _ in letter.headers]}, which lead to"
            f" {'it' if origin == letter.value else 'something else'}"
            for letter, origin in zip(letters, found, strict=True)
        ],
        means="It goes back on the topic by ./lab redrive: without its key it has no order there.",
    )
    now = stats()["counters"]
    difference = {name: now[name] - before[name] for name in ("skipped", "dead")}
    means = "What is left out has to show somewhere."
    require(
        difference == {"skipped": 1, "dead": 2},
        did,
        expected="1 skipped, 2 dead",
        saw=difference,
        means=means,
    )


def _origin(topic: Topic, headers: dict[str, bytes]) -> bytes | None:
    """The record that the headers of a dead letter lead to; None when they lead nowhere."""
    if (headers.get("topic"), headers.get("partition")) != (POSTS_TOPIC.encode(), b"0"):
        return None
    offset = int(headers["offset"]) if headers.get("offset", b"").isdigit() else -1
    if not topic.first() <= offset < topic.end():
        return None
    topic.seek(offset)
    return next((record.value for record in topic.until(offset + 1)), None)


@check(points=2)
@pytest.mark.disturbs
def test_redrive(rng: Random) -> None:
    """A dead letter that can be read by now is applied after ./lab redrive; poison is dead again"""
    tool("feed-redrive")  # what others left
    good = Post(stranger(rng), "back to life")
    poison = f"poison {time.time_ns()}".encode()
    bury(good.id, good.body(), "a fault that is mended by now")
    bury(good.id, poison, "not JSON")
    answer = tool("feed-redrive")
    did = "put an event that can be read and one that cannot among the dead letters, then ./lab redrive"
    means = "After a fix the dead letters are events like all others, and poison has to end up there again."
    require(
        titles(good.user) == ["back to life"],
        did,
        expected="the first one in the list",
        saw=titles(good.user),
        means=means,
    )
    again = [letter["reason"] for letter in answer["dead_again"]]
    buried = [reason for value, reason in dead_letters() if value == poison]
    require(
        again and len(buried) == 2 and all(buried),  # what others left there may be dead again as well
        did,
        expected="the second one dead again, once, with a reason",
        saw=f"{len(again)} dead again; reasons of this poison: {buried}",
        means=means,
    )
    tool("feed-redrive")  # the poison stays dead: nobody sends it back for ever


@check(points=3)
@pytest.mark.disturbs
def test_backlog(rng: Random) -> None:
    """A backlog of 20,000 events is caught up with at 5,000 events per second"""
    posts = [Post(stranger(rng), "version 1") for _ in range(100)]
    records: list[tuple[str, bytes]] = []
    for number in range(1, 201):
        posts = posts if number == 1 else [post.changed(f"version {number}") for post in posts]
        records += [(post.id, post.body()) for post in posts]
    backend.stop_unit("feed-projector")
    try:
        end = publish(records)
        began = time.perf_counter()
        for _, body in records:
            decode(body)
        reference = time.perf_counter() - began
        with redis() as client:
            start = int(client.get(keys.OFFSET) or 0)
    finally:
        backend.start_unit("feed-projector")
    with redis() as client:

        def offset() -> int:
            return int(client.get(keys.OFFSET) or 0)

        eventually(lambda: offset() > start, within=30, what="the projector to begin with the backlog")
        began, begun_at = time.perf_counter(), offset()
        settled(end, within=60)
        seconds, events = time.perf_counter() - began, end - begun_at
    enough = seconds <= slow() * max(events / RATE, TIMES * reference * events / len(records))
    require(
        enough,
        "stopped the projector, put 20,000 events on the topic, and started it again",
        expected=f"{RATE:,} events per second, or {TIMES} times the time it takes just to decode them here",
        saw=f"{events} events in {seconds:.1f} s; decoding takes {reference:.1f} s",
        means="A projector that is no faster than the writers never catches up after a failure.",
    )
    wrong = [post.user for post in posts if titles(post.user) != ["version 200"]]
    require(
        not wrong,
        "200 versions of each of 100 posts",
        expected="the last version in each list",
        saw=f"{len(wrong)} lists show something else",
        means="Fast and wrong is not faster.",
    )


@check(points=4)
@pytest.mark.disturbs
def test_killed_ten_times(rng: Random) -> None:
    """The projector is killed ten times in the middle of its work: nothing is lost, nothing doubled"""
    users = [stranger(rng) for _ in range(80)]
    posts = [Post(user, f"{n}", at=START + timedelta(seconds=n)) for n in range(95) for user in users]
    backend.stop_unit("feed-projector")
    try:
        end = publish((post.id, post.body()) for post in posts)
        with redis() as client:
            start = int(stats()["next_offset"] or 0)
    finally:
        backend.start_unit("feed-projector")
    kills = 0
    with redis() as client:
        deadline = time.monotonic() + 90
        noted = start
        looked = time.monotonic()
        while kills < 10 and noted < end and time.monotonic() < deadline:
            if time.monotonic() - looked > 1:
                looked = time.monotonic()
                if is_waiting(backend, "feed-projector"):
                    break
                backend.revive("feed-projector")
            now = int(client.get(keys.OFFSET) or 0)
            if now == noted:
                continue
            time.sleep(rng.random() * 0.03)  # anywhere in a batch
            noted = now
            # At once: to look first whether it runs would take longer than it works on a batch.
            with suppress(LabError):
                backend.signal("feed-projector", signal.SIGKILL)
                kills += 1
    settled(end, within=40)
    wanted = [f"{n}" for n in range(94, -1, -1)]
    wrong = {user: seen for user in users if (seen := titles(user)) != wanted}
    lost = sum(len(set(wanted) - set(seen)) for seen in wrong.values())
    doubled = sum(len(seen) - len(set(seen)) for seen in wrong.values())
    require(
        not wrong,
        f"{len(posts)} events; killed the projector {kills} times while it worked on them",
        expected="every post once, in order",
        saw=f"{lost} lost, {doubled} doubled, in {len(wrong)} of {len(users)} lists",
        means="Effect first, then the offset; and each effect in one step that cannot be torn apart.",
    )
    eventually(lambda: stats()["consumer_state"] == "running", within=10, what="the projector to be back")
