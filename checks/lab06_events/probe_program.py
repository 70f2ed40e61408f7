"""A program that calls the learner's outbox and relay, one function for each line that it reads."""

PROBE = """
import json, sys, threading, time
from collections import Counter
from functools import partial
from types import SimpleNamespace
from bson import ObjectId
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka import TopicPartition
from pymongo import MongoClient
from civildiy.chassis.clients.kafka import producer
from civildiy.posts.relay import main as relay_module
from civildiy.posts.relay.change_streams import Changes
from civildiy.posts.relay.lease import Lease
from civildiy.posts.relay.outbox import Outbox, Waiting

mongodb, database_name, kafka, topic = sys.argv[1:]
database = MongoClient(f"mongodb://{mongodb}", directConnection=True, tz_aware=True)[database_name]
posts = database["posts"]
outbox = Outbox(posts)
relay_module.POSTS_TOPIC = topic
lease = Lease(database["leases"], "relay", "relay-of-the-check")
changes = Changes(posts, database["positions"], lambda: iter(()))
relay = relay_module.Relay(outbox, changes, lease, partial(producer, kafka))
stopped, running = threading.Event(), []

def waiting(post, event):
    # As heads() makes it: `deleted` is that of the post.
    found = posts.find_one({"_id": ObjectId(post)}) or {}
    return Waiting(ObjectId(post), event, event.encode(), found.get("deleted", True))

def heads(limit):
    return [(str(head.post_id), head.event_id) for head in outbox.heads(limit)]

def heads_or_error(limit):
    try:
        return heads(limit)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def mark(*sent):
    outbox.mark_sent([waiting(*one) for one in sent])

def park(post, event, reason):
    outbox.park(waiting(post, event), reason)

def drain():
    return relay.drain()

def waits_for_ever():
    return FutureRecordMetadata(FutureProduceResult(TopicPartition(topic, 0)), 0, 0, None, 0, 0, 0)

def failing(error):
    def send():
        future = waits_for_ever()
        future.failure(error("made by the check"))
        return future
    return send

FAULTS = {
    "later": failing(KafkaTimeoutError), "too large": failing(MessageSizeTooLargeError),
    "no answer": waits_for_ever,
}

def publish(faults):
    return failing_call(faults, lambda: relay._publish(outbox.heads(100)))

def publish_often(faults, times, seconds):
    # By the clock of the relay, so many seconds pass before each call.
    try:
        for ahead in range(seconds, seconds * (times + 1), seconds):
            clock = lambda: time.time() + ahead
            relay_module.time = SimpleNamespace(monotonic=clock, time=clock)
            publish(faults)
    finally:
        relay_module.time = time

def order_of_publish():
    # 's' for each record that is sent, 'w' for each future that is waited for.
    order, real = [], relay._send
    class Noted:
        def __init__(self, future):
            self.future = future
        def get(self, *words, **more):
            order.append("w")
            return self.future.get(*words, **more)
        def __getattr__(self, name):
            return getattr(self.future, name)
    def send(key, value):
        order.append("s")
        return Noted(real(key, value))
    relay._send = send
    try:
        relay._publish(outbox.heads(100))
    finally:
        relay._send = real
    return "".join(order)

def failing_drain(faults):
    return failing_call(faults, relay.drain)

def failing_call(faults, act):
    # The names of the posts' events and the fault of each; all others go to Kafka.
    relay_module.PUBLISH_SECONDS = 1
    relay._producer = relay._producer or relay._connect()
    real, times = relay._send, Counter()
    def send(key, value):
        times[bytes(value).decode()] += 1
        fault = FAULTS.get(faults.get(bytes(value).decode()))
        return fault() if fault else real(key, value)
    relay._send = send
    try:
        return ["returned", act(), True, times]
    except Exception as error:
        return ["raised", type(error).__name__, isinstance(error, KafkaError), times]
    finally:
        relay._send = real

class HeldUntilRead:
    # A lease that another relay takes, or a signal that arrives, at one of the reads of the outbox.
    def __init__(self, real, what, reads):
        self.real, self.what, self.reads = real, what, reads
    def heads(self, limit):
        found, self.reads = self.real.heads(limit), self.reads - 1
        if self.reads:
            return found
        if self.what == "lease":
            relay._lease = type("Lost", (), {"held": lambda self: False})()
        else:
            relay._stopped.set()
        return found
    def __getattr__(self, name):
        return getattr(self.real, name)

def drain_after(what, reads):
    relay._outbox = HeldUntilRead(outbox, what, reads)
    try:
        return relay.drain()
    finally:
        relay._outbox, relay._lease = outbox, lease
        relay._stopped.clear()

def run():
    running.append(threading.Thread(target=relay.run, args=(stopped,), daemon=True))
    running[0].start()

def threads():
    return threading.active_count()

def stop():
    stopped.set()
    running[0].join()

say("ready")
for line in sys.stdin:
    name, *words = json.loads(line)
    try:
        answer = globals()[name](*words)
    except NotImplementedError:
        raise
    except Exception as error:
        answer = {"raised": f"{type(error).__name__}: {error}"[:300]}
    say(json.dumps(answer))
"""
