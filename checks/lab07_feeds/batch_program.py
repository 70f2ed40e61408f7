"""A program that lets the learner's projection apply batches in a Redis database of the check's own."""

LARGE = 2_000
"""Events in the largest batch."""
BATCHES = """
import json, sys
from datetime import UTC, datetime, timedelta
from bson import ObjectId
from redis import Redis
from redis.exceptions import RedisError
from civildiy.contracts.posts.envelope import decode
from civildiy.feed import keys
from civildiy.feed.projector.projection import Projection
from civildiy.posts.relay.outbox import deleted_event, put_event

host, _, port = sys.argv[1].rpartition(":")
NUMBER = 14
AT = datetime(2026, 1, 1, tzinfo=UTC)

class Watched(Redis):
    batches, before_note, new_name = 0, None, None

    def pipeline(self, *words, **more):
        made = super().pipeline(*words, **more)
        real = made.execute
        def execute(*words, **more):
            self.batches += 1
            if self.new_name:
                # Another program's command arrives between the first command of the pipeline and the second.
                made.command_stack.insert(1, (("SET", keys.GENERATION, self.new_name), {}))
            answers = real(*words, **more)
            if self.new_name:
                answers.pop(1)
            if self.before_note:
                self.before_note()
            return answers
        made.execute = execute
        return made

redis = Watched(host=host, port=int(port), db=NUMBER)

def event(number, user=1, version=1, removed=False):
    document = {
        "_id": ObjectId(f"{number:024x}"), "user_id": user, "tags": [], "title": f"t{number}", "content": "c",
        "created_at": AT, "updated_at": AT, "expires_at": None, "version": version,
    }
    time = AT + timedelta(seconds=number)
    if removed:
        return deleted_event(document, time, "trace")
    return put_event("post.created" if version == 1 else "post.updated", document, time, "trace")

def fresh(searching=True):
    redis.flushdb()
    redis.before_note = redis.new_name = None
    redis.batches = 0
    made = Projection(redis, searching=searching)
    made.next_offset()
    return made

def applied(projection, *batch):
    try:
        projection.apply(*batch)
        return "nothing"
    except Exception as error:
        return type(error).__name__

def state():
    counters = {name.decode(): int(n) for name, n in redis.hgetall(keys.COUNTERS).items()}
    return {
        "offset": int(redis.get(keys.OFFSET) or 0), "counters": counters, "entries": redis.llen(keys.GLOBAL),
    }

def searches(projection, *events):
    # How many bytes a script that reads whole lists sends is not counted; how often LRANGE runs is.
    def calls():
        found = redis.info("commandstats").get("cmdstat_lrange", {"calls": 0})
        return found["calls"]
    before = calls()
    applied(projection, events, 100, 0, 0)
    return calls() - before

try:
    found = {}
    projection = fresh()
    events = [event(n) for n in range(300)]
    found["first"] = {"raised": applied(projection, events, 300, 0, 0), **state(), "batches": redis.batches}
    redis.script_flush()
    more = [event(n) for n in range(300, 310)]
    found["forgotten"] = {"raised": applied(projection, [events[5], *more], 310, 0, 0), **state()}
    found["empty"] = {"raised": applied(projection, [], 313, 2, 1), **state()}
    redis.batches = 0
    found["loaded"] = {"raised": applied(projection, events[:10], 313, 0, 0), "batches": redis.batches}
    redis.batches = 0
    many = [event(n) for n in range(1_000, 1_000 + int(sys.argv[2]))]
    found["large"] = {"raised": applied(projection, many, 3_000, 0, 0), "batches": redis.batches}
    projection = fresh()
    applied(projection, [event(1)], 1, 0, 0)
    redis.set(keys.of_post(f"{2:024x}"), "not a hash")
    found["refused"] = {"raised": applied(projection, [event(2, user=2), event(3)], 3, 0, 0), **state()}
    redis.delete(keys.of_post(f"{2:024x}"))
    found["again"] = {"raised": applied(projection, [event(2, user=2), event(3)], 3, 0, 0), **state()}
    projection = fresh()
    applied(projection, [event(1)], 1, 0, 0)
    redis.before_note = lambda: redis.set(keys.GENERATION, "of a rebuilt view")
    found["switched"] = {"raised": applied(projection, [event(2)], 2, 0, 0), **state()}
    projection = fresh()
    applied(projection, [event(1)], 1, 0, 0)
    redis.new_name = "of a rebuilt view"
    found["between"] = {"raised": applied(projection, [event(2), event(3)], 3, 0, 0), **state()}
    projection = fresh()
    applied(projection, [event(n) for n in range(200)], 200, 0, 0)
    projection._noted = redis.get(keys.OFFSET)
    found["searches"] = {
        "new": searches(projection, *(event(n) for n in range(200, 250))),
        "known": searches(projection, *(event(n, version=2) for n in range(50))),
        "forgotten": searches(projection, *(event(n, version=2) for n in range(500, 550))),
    }
    projection = fresh(searching=False)
    found["searches"]["rebuild"] = searches(projection, *(event(n, version=2) for n in range(50)))
    say(json.dumps(found))
finally:
    redis.flushdb()
"""
