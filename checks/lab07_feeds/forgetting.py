"""What Redis forgets: the hash of a post, and the scripts."""

import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from grading.events import Post, project, publish, redis, settled, stats, stranger, titles
from grading.outcome import Wrong, require
from grading.plugin import check
from grading.system import backend

from civildiy.feed import keys
from lab.errors import LabError


@check(points=1)
def test_forgotten_post(rng: Random) -> None:
    """The entry of a post whose hash has expired is still replaced or removed"""
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
            means="The hash has expired, but the version is above 1, so an older entry may still be in the"
            " lists. Call `search` for both lists. Look at SCRIPT in projection.py.",
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
        means="Redis keeps scripts in memory only. On NoScriptError `apply` in projection.py has to load"
        " SCRIPT again and to send the batch again.",
    )
