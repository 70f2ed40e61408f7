"""A program that runs the learner's rebuild on a topic and on Redis databases of the check."""

REBUILDS = """
import json, sys, time
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from bson import ObjectId
from redis import Redis
from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import encode
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.feed import keys
from civildiy.operations.rebuild import Rebuild
from civildiy.posts.relay.outbox import put_event

redis, kafka, name = sys.argv[1:]
host, _, port = redis.rpartition(":")
live, new = (Redis(host=host, port=int(port), db=number) for number in (12, 13))
sender = producer(kafka)
AT = datetime(2026, 1, 1, tzinfo=UTC)
versions = count(3)

def event(number, version=1):
    document = {
        "_id": ObjectId(f"{number:024x}"), "user_id": 1, "tags": [], "title": f"t{number}", "content": "c",
        "created_at": AT, "updated_at": AT, "expires_at": None, "version": version,
    }
    kind = "post.created" if version == 1 else "post.updated"
    return put_event(kind, document, AT + timedelta(seconds=number), "trace")

def publish(*values):
    for value in values:
        sender.send(name, key=b"k", value=value).get(10)

class Watched(Rebuild):
    # Does not swap: the check says how often the live view is ahead.
    behind, switches, kept = 0, [], 0

    def _switch(self):
        self.switches.append(self._topic.position)
        return len(self.switches) > self.behind

    def _keep_lock(self):
        self.kept += 1
        super()._keep_lock()

def rebuilt(
    numbers, behind=0, meanwhile=(), patience=20.0, prepare=lambda topic: None, steady=False, broken=False
):
    live.flushdb()
    new.flushdb()
    new.set("of a rebuild that was killed", "1")
    with Topic(kafka, name) as topic:
        prepare(topic)
        end = topic.end()
        rebuild = Watched(live, new, topic, patience)
        rebuild.behind, rebuild.switches = behind, []
        following = []
        real = rebuild._new.apply
        def apply(events, *more):
            real(events, *more)
            if steady and following:  # as many events are published as are applied
                publish(encode(event(1, version=next(versions))))
        rebuild._new.apply = apply
        def posts():
            if meanwhile:
                publish(*meanwhile)
            for number in numbers:
                yield SimpleNamespace(event=event(number))
            following.append(True)
            if broken:
                raise ConnectionError("made by the check")
        began = time.monotonic()
        try:
            done = rebuild.run(posts())
            outcome = {"posts": done.posts, "followed": done.followed}
        except Exception as error:
            outcome = {"raised": type(error).__name__, "text": str(error)}
        return {
            **outcome, "seconds": time.monotonic() - began, "kept": rebuild.kept,
            "switches": rebuild.switches, "before": end, "end": topic.end(),
            "offset": int(new.get(keys.OFFSET) or -1), "entries": new.llen(keys.GLOBAL),
            "remains": new.exists("of a rebuild that was killed"),
            "live offset": int(live.get(keys.OFFSET) or -1),
            "changed": b"version\\":2" in b"".join(new.lrange(keys.GLOBAL, 0, -1)),
        }

def another_topic(topic):
    live.set(keys.OFFSET, topic.end() + 1000)

try:
    publish(encode(event(1)), encode(event(2)))
    found = {
        "plain": rebuilt(range(1, 4)),
        "empty": rebuilt(()),
        "meanwhile": rebuilt(range(1, 4), meanwhile=[encode(event(2, version=2))]),
        "poison": rebuilt(range(1, 4), meanwhile=[b"not JSON", b"{}", encode(event(8)), encode(event(9))]),
        "behind": rebuilt(range(1, 4), behind=4),
        "another topic": rebuilt(range(1, 4), prepare=another_topic),
        "broken": rebuilt(range(1, 4), broken=True),
        "steady": rebuilt(range(1, 4), meanwhile=[encode(event(2, version=2))], patience=5.0, steady=True),
    }
    say(json.dumps(found))
    sys.stdin.readline()
    say(json.dumps(rebuilt(range(1, 4), behind=10**9, patience=1.0, steady=True)))
finally:
    live.flushdb()
    new.flushdb()
"""
