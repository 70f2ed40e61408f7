"""A topic that is deleted while the system runs: it is reported and created again, and nothing is lost."""

import subprocess
from contextlib import closing

import pytest
from support import ENDPOINTS, Person, backend, eventually

from civildiy.chassis.clients.kafka import admin
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from lab.deadlines import slow
from lab.home import REPO


def lab(*arguments: str) -> str:
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=240 * slow()
    )
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.fault
@pytest.mark.thorough
def test_a_deleted_topic_is_reported_and_created_again() -> None:
    person = Person()
    first = person.post("before")
    eventually(lambda: person.feed(), within=15, what="the post in the feed")
    with closing(admin(ENDPOINTS["kafka"])) as client:
        client.delete_topics([POSTS_TOPIC])
    posts = [person.post(f"after {number}") for number in range(3)]
    try:
        for command in ("status", "doctor"):
            said = lab(command)
            assert f"the topic {POSTS_TOPIC} does not exist" in said, said
            assert "./lab up" in said
        assert f"the topic {POSTS_TOPIC} does not exist" in lab("lag")
    finally:
        said = lab("up")
    assert "set up again" in said, said
    assert "The feed is" in (said := lab("rebuild")), said

    def complete() -> bool:
        return {entry["post_id"] for entry in person.feed()} == {one["id"] for one in (first, *posts)}

    eventually(complete, within=30, what="all four posts in the feed")
    eventually(lambda: "no difference" in lab("verify"), within=60, what="a view that agrees with the posts")
    later = person.post("later")
    eventually(
        lambda: later["id"] in {entry["post_id"] for entry in person.feed()},
        within=30,
        what="a post that was written after the topic was created again",
    )
    assert f"the topic {POSTS_TOPIC} does not exist" not in lab("doctor")


@pytest.mark.fault
@pytest.mark.thorough
def test_a_topic_is_created_again_also_if_kafka_did_not_answer_at_first() -> None:
    """`up` cannot know that the topic is missing before it has started Kafka again."""
    with closing(admin(ENDPOINTS["kafka"])) as client:
        client.delete_topics([POSTS_TOPIC])
    backend.freeze("kafka")
    try:
        said = lab("up")
    finally:
        backend.thaw("kafka")
    assert "Not running: kafka" in said, said
    # `docker compose up` runs provision each time, so the topic is there again before anybody looks.
    assert backend.kind == "compose" or f"the topic {POSTS_TOPIC} does not exist" in said
    assert "The system is up" in said
    person = Person()
    person.post("after both")
    eventually(lambda: person.feed(), within=30, what="the post in the feed")
    assert "The feed is" in lab("rebuild")
