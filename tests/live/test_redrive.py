"""Dead letters go back to the topic after a fix, but not those of posts that are deleted by now."""

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from feed_tools import run, stats
from redis import Redis
from support import ENDPOINTS, Person, backend, eventually, home

from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, encode
from civildiy.feed import keys
from civildiy.posts.document import PostContent
from civildiy.posts.relay.outbox import put_event
from lab.backends import overrides
from lab.course.running import WORK, wait_until_loaded
from lab.home import LABS, PLATFORM


def test_an_old_letter_does_not_bring_back_what_is_gone(redis: Redis) -> None:
    """The view no longer knows that the post was removed, so MongoDB is queried."""
    user, old = 10**15 + secrets.randbelow(10**9), ObjectId.from_datetime(datetime(2024, 1, 1, tzinfo=UTC))
    time = datetime(2024, 1, 1, tzinfo=UTC)
    post: PostContent = {
        "_id": old, "user_id": user, "title": "gone", "content": "words", "tags": [], "created_at": time,
        "updated_at": time, "expires_at": None, "version": 1,
    }  # fmt: skip
    event = put_event("post.created", post, time, "00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    log = producer(ENDPOINTS["kafka"])
    log.send(DEAD_LETTER_TOPIC, key=event.subject.encode(), value=encode(event)).get(10)
    log.close()
    answer = run("feed-redrive", code=None)  # other tests may have left some, too
    letters = {what: [letter["value"] for letter in answer[what]] for what in ("outdated", "sent")}
    mine = encode(event)[:200].decode()
    assert letters["outdated"] == [mine]
    assert mine not in letters["sent"]
    assert not redis.exists(keys.of_user(user))


@pytest.mark.thorough
def test_redrive_after_the_fix() -> None:
    """A projector that refuses updates dead-letters them; the fixed one applies them after a redrive."""

    def mine(letters: list[dict[str, Any]]) -> bool:
        """Return whether this test's dead letter is there exactly once; other tests leave their own."""
        return [one["reason"] for one in letters].count("nobody expected an update") == 1

    folder = LABS / WORK
    folder.mkdir(exist_ok=True)
    broken = folder / "envelope.py"
    text = (PLATFORM / "civildiy/contracts/posts/envelope.py").read_text()
    head = '    version = document.get("schemaversion")\n'
    assert head in text
    fault = '    if kind == "post.updated":\n        raise PoisonEvent("nobody expected an update")\n'
    broken.write_text(text.replace(head, fault + head))
    person = Person()
    post = person.post("first")
    unit = "feed-projector"
    eventually(lambda: person.feed(), within=10, what="the post")
    run("feed-redrive", code=None)  # what other tests left
    try:
        code = {"LAB_CODE": f"civildiy.contracts.posts.envelope={broken.relative_to(LABS)}"}
        backend.override(unit, overrides.read(home, unit) | code)
        wait_until_loaded(home, backend, unit)
        dead = stats()["counters"]["dead"]
        person.http.put(f"/api/posts/{post['id']}", json={"title": "second"})
        eventually(lambda: stats()["counters"]["dead"] == dead + 1, within=20, what="the dead letter")
        assert mine(run("feed-redrive", code=1)["dead_again"])
    finally:
        backend.override(unit, {})
        wait_until_loaded(home, backend, unit)
        broken.unlink()
    assert mine(run("feed-redrive", "--dry-run", code=None)["waiting"])
    assert run("feed-redrive", code=None)["applied"]
    assert person.feed()[0]["title"] == "second"
    assert not mine(run("feed-redrive", "--dry-run", code=None)["waiting"])
