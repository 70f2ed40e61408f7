"""The learner's outbox and relay in a program beside the system, with a database and a topic of their own."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from grading.databases import Document, mongodb
from grading.learner_process import Beside, beside
from grading.outcome import wrong
from grading.refusing_kafka import refusing_as_too_old
from grading.stack import ENDPOINTS
from kafka.admin import NewTopic
from pymongo.collection import Collection

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.contracts.posts.topic_reader import Topic
from lab.course.exercise import Exercise
from lab06_events.probe_program import PROBE

RAISED = "Your code raised this error, although what it got was valid."


class Probe:
    """The program, its collection of posts, and its topic."""

    def __init__(self, module: Beside, database: Any, topic: Topic) -> None:
        self.module, self.database, self.topic = module, database, topic
        self.posts: Collection[Document] = database["posts"]

    def ask(self, name: str, *words: Any) -> None:
        """Let the program call one of its functions; `answer` gives what it returns."""
        self.module.tell(json.dumps([name, *words]))

    def answer(self, what: str, within: float = 10, raised: str = RAISED, **more: str) -> Any:
        """What the function returned; Wrong if it raised an error, which means `raised` or did not end."""
        answer = json.loads(self.module.hear(what, within, **more))
        if isinstance(answer, dict) and "raised" in answer:
            wrong(f"waited for {what}", expected="no error", saw=answer["raised"], means=raised)
        return answer

    def call(self, name: str, *words: Any) -> Any:
        """Both."""
        self.ask(name, *words)
        return self.answer(f"{name}() to return")

    def post(self, *events: str, minutes: int = 0, **more: Any) -> str:
        """Store a post whose outbox holds these events, changed so many minutes ago; returns its id."""
        document = {
            "_id": ObjectId(), "updated_at": datetime.now(UTC) - timedelta(minutes=minutes),
            "deleted": False, "settled": not events, "version": len(events),
            "outbox": [{"id": event, "body": event.encode()} for event in events], **more,
        }  # fmt: skip
        self.posts.insert_one(document)
        return str(document["_id"])

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Kafka refuses each record of the topic as too old: nothing that is the event's fault."""
        with refusing_as_too_old(self.topic.partition.topic):
            yield

    def records(self) -> list[tuple[str, str]]:
        """Key and value of each record on the topic."""
        self.topic.seek(0)
        found = self.topic.until(self.topic.end())
        return [((record.key or b"").decode(), (record.value or b"").decode()) for record in found]

    def left(self, post: str) -> dict[str, Any] | None:
        """What MongoDB holds of a post: the ids of its events, and whether it is settled."""
        found = self.posts.find_one({"_id": ObjectId(post)})
        if found is None:
            return None
        return {"outbox": [entry["id"] for entry in found["outbox"]], "settled": found["settled"]}


@contextmanager
def probe(lab: Exercise) -> Iterator[Probe]:
    """Run the program; its database and its topic are removed afterwards."""
    name = f"checks-{secrets.token_hex(6)}"
    admin = admin_client(ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)
    try:
        admin.create_topics([NewTopic(name, 1, 1)])
        with mongodb() as client:
            database = client[name]
            database.create_collection("posts")
            words = (ENDPOINTS["mongodb"], name, ENDPOINTS["kafka"], name)
            try:
                with (
                    Topic(ENDPOINTS["kafka"], name) as topic,
                    beside(lab, "posts-relay", PROBE, *words) as module,
                ):
                    module.hear("your module to be imported", within=20)
                    yield Probe(module, database, topic)
            finally:
                client.drop_database(name)
    finally:
        admin.delete_topics([name])
        admin.close()
