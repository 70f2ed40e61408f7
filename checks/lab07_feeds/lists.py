"""The length of the lists, their expiry, and their users."""

from datetime import timedelta
from random import Random

from grading.events import START, Post, project, redis, stranger, titles
from grading.outcome import require
from grading.people import Person
from grading.plugin import check

from civildiy.feed import keys


@check(points=2)
def test_lengths() -> None:
    """A user's list holds at most 100 entries, and the global list 1,000"""
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
        means="LTRIM counts from 0 and keeps both ends: `LTRIM key 0 99` keeps 100 entries. Insert before"
        " you shorten. Look at SCRIPT in projection.py.",
    )
    require(
        everybody == 1000,
        "1093 posts of twelve persons",
        expected="1000 in the global list",
        saw=everybody,
        means="LTRIM counts from 0 and keeps both ends: `LTRIM key 0 99` keeps 100 entries. Insert before"
        " you shorten. Look at SCRIPT in projection.py.",
    )


@check(points=1)
def test_lists_expire(rng: Random) -> None:
    """Lists without new entries expire, and the hash of a post expires later than they do"""
    post = Post(stranger(rng), "words")
    with redis() as client:
        client.persist(keys.GLOBAL)  # what somebody set earlier must not count
        project((post, post.body()))
        for key, name in ((keys.GLOBAL, "the global list"), (keys.of_user(post.user), "one person's list")):
            seconds = int(str(client.ttl(key)))
            require(
                0 < seconds <= keys.LIST_SECONDS + 1,
                f"asked Redis for the TTL of {name}",
                expected=f"at most {keys.LIST_SECONDS} s",
                saw=f"{seconds} s" if seconds >= 0 else "no expiry",
                means="Without an expiry Redis keeps the list of each user for ever. Call `renew()` at the"
                " end of SCRIPT (projection.py).",
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
            means="A list in use must not expire: each applied event renews its expiry. Call"
            " `renew()` at the end of SCRIPT (projection.py).",
        )
        last = new.changed("")
        project((last, last.body(removed=True)))
        left = int(str(client.ttl(keys.of_post(post.id))))
    require(
        keys.LIST_SECONDS < left <= keys.POST_SECONDS + 1,
        "removed the post, and asked Redis for the TTL of what the view knows of it",
        expected=f"longer than Kafka keeps its events, at most {keys.POST_SECONDS} s",
        saw=f"{left} s" if left >= 0 else {-1: "no expiry", -2: "no such key"}.get(left, left),
        means="The hash holds the version, by which late events are refused. Without an expiry it stays in"
        " memory for ever; with a shorter one late events are believed. Call `renew()` at the end of"
        " SCRIPT (projection.py).",
    )


@check(points=2)
def test_lists_do_not_mix(ada: Person, bob: Person) -> None:
    """The lists of two users never mix"""
    mine, theirs = Post(ada.id, "of Ada"), Post(bob.id, "of Bob")
    project((mine, mine.body()), (theirs, theirs.body()))
    for person, wanted in ((ada, "of Ada"), (bob, "of Bob")):
        items = person.http.get("/api/activity-stream/user").json()["items"]
        seen = [item["title"] for item in items]
        means = (
            "The list of a user holds only posts of that user. Look at SCRIPT in projection.py: `own`"
            " is the author's list."
        )
        require(
            seen == [wanted],
            "read both streams through the gateway",
            expected=[wanted],
            saw=seen,
            means=means,
        )
