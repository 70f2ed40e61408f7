"""Lags that the check asks the learner's function for, from a topic of its own."""

import json
import secrets
from typing import Any

import pytest
from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS
from kafka.admin import NewTopic

from civildiy.chassis.clients.kafka import admin as admin_client
from lab.course.exercise import Exercise

LAGS = """
import json, sys, time
from kafka import TopicPartition
from civildiy.chassis.clients.kafka import admin, producer
from civildiy.feed import lag as module

kafka, name = sys.argv[1:]
module.PARTITION = partition = TopicPartition(name, 0)
made, read, silent = [], [], []
real = module.reader

def counted(bootstrap):
    consumer = real(bootstrap)
    made.append(consumer)
    poll = consumer.poll
    def polled(*words, **more):
        # Not for ever: code that polls until a record comes has to come back, to be judged.
        answer = {} if silent and silent.pop() else poll(*words, **more)
        read.append(sum(len(records) for records in answer.values()))
        return answer
    consumer.poll = polled
    return consumer

module.reader = counted
sender, manager = producer(kafka), admin(kafka, bootstrap_timeout_ms=5000)
now = time.time()

def publish(count, age):
    for _ in range(count):
        sender.send(name, value=b"v", timestamp_ms=int((now - age) * 1000))
    sender.flush(10)

meter = module.LagMeter(kafka)

def lag(offset):
    time.sleep(module.FRESH_SECONDS + 0.05)
    read.clear()
    try:
        found = meter.measure(offset)
    except NotImplementedError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        return {"lag": None, "raw": None, "read": sum(read), "consumers": len(made), "error": said}
    known = {"events": found.events, "seconds": found.seconds - (time.time() - now)} if found else None
    return {"lag": known, "raw": found.seconds if found else None, "read": sum(read), "consumers": len(made)}

empty = lag(None)
publish(3, 100)
publish(3000, 10)
found = {
    "empty": empty, "all": lag(0), "again": [lag(0) for _ in range(4)][-1], "none yet": lag(None),
    "new ones": lag(3), "last": lag(3002), "at the end": lag(3003), "beyond": lag(4000),
}
manager.delete_records({partition: 3})
found["deleted"] = lag(1)
found["deleted, none yet"] = lag(None)
silent.extend([True] * 20)
found["silent"] = lag(3)
silent.clear()
publish(2, 5)
found["more"] = lag(3003)
found["caught up"] = lag(3005)
publish(1, 1)
found["one more"] = lag(3005)
publish(1, -100)
found["future"] = lag(3006)
manager.close()
say(json.dumps(found))
"""
END = (
    "The end of the topic moves with each event, also while nobody reads. What an earlier measurement or the"
    " last `poll` saw is too low, and then events wait that nobody counts. Call"
    " `consumer.end_offsets([PARTITION])` in each measurement."
)
WANTED: tuple[tuple[str, str, int, float | None, str], ...] = (
    ("empty", "an empty topic, without an offset", 0, None, "When nothing waits, both numbers are 0."),
    ("all", "offset 0", 3003, 100, "The seconds are the age of the oldest event that waits."),
    (
        "again", "offset 0 for the fifth time", 3003, 100,
        "Each `poll` moves the consumer on, also when the view stands still. Call `seek` before each `poll`.",
    ),
    ("none yet", "no offset", 3003, 100, "An empty view begins at the first record that the topic has."),
    ("new ones", "offset 3", 3000, 10, "The oldest event that waits is the one at the next offset."),
    ("last", "offset 3002", 1, 10, "One event waits: end minus offset is 1."),
    ("at the end", "offset 3003, the end of the topic", 0, None, "When nothing waits, both numbers are 0."),
    ("beyond", "offset 4000, beyond the end", 0, None, "No event can wait there, so both numbers are 0."),
    (
        "deleted", "offset 1, after Kafka had deleted the first three records", 3000, 10,
        "Deleted records cannot be applied. Begin at the topic's first offset if it is higher.",
    ),
    (
        "deleted, none yet", "no offset, after Kafka had deleted the first three records", 3000, 10,
        "An empty view begins at the first record that is still there, not at offset 0.",
    ),
    (
        "silent", "offset 3, while `poll` returned no record in time", 3000, None,
        "A slow broker is no error: the number of events is known from the offsets, and the age is 0.0.",
    ),
    ("more", "offset 3003, after two more events were published 5 s ago", 2, 5, END),
    ("caught up", "offset 3005, the end of the topic after these two", 0, None, END),
    ("one more", "offset 3005, after one more event was published 1 s ago", 1, 1, END),
    (
        "future", "offset 3006, after an event of a machine whose clock is 100 s ahead", 1, None,
        "No event is younger than now. Such a clock would make the age negative; it is never below 0.",
    ),
)  # fmt: skip
SLACK_SECONDS = 2.0
RAISED = (
    "Your code raised an error although Kafka answered. The values of these records are no events, as after a"
    " program that published something else. The lag needs only the offsets and `record.timestamp`: do not"
    " decode a record."
)


@check(points=2)
@pytest.mark.disturbs
def test_lag_step_by_step(lab: Exercise) -> None:
    """The lag counts from the next offset to the end, and reads one record to know the age"""
    name = f"checks-{secrets.token_hex(6)}"
    admin = admin_client(ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)
    try:
        admin.create_topics([NewTopic(name, 1, 1)])
        words = (ENDPOINTS["kafka"], name)
        with beside(lab, "feed", LAGS, *words, only=("civildiy.feed.lag",)) as module:
            found: dict[str, Any] = json.loads(module.hear("your _ask() to measure some lags", within=30))
    finally:
        admin.delete_topics([name])
        admin.close()
    most = max(seen["read"] for seen in found.values())
    require(
        most <= 600,
        "asked for the lag while 3,003 events waited, and counted the records that your code read",
        expected="the first waiting record only (`max_records=1`)",
        saw=f"{most} records",
        means="A long backlog would make each measurement slow. The first record gives the age; the numbers"
        " come from the offsets. Look at `_ask` in lag.py.",
    )
    shown = [found[case]["raw"] for case in ("all", "again", "none yet", "new ones")]
    require(
        not any(shown) or any(seconds is None or seconds % 1 for seconds in shown),
        "asked for the lag four times",
        expected="seconds with fractions",
        saw=f"{', '.join(f'{seconds:g}' for seconds in shown if seconds is not None)} s",
        means="A lag is usually far below a second, and a rounded one looks like no lag at all. Return the"
        " age as it is, or with milliseconds: `round(age, 3)`. Look at `_ask` in lag.py.",
    )
    for case, offset, events, age, means in WANTED:
        seen = found[case]
        lag = seen["lag"]
        right = lag and lag["events"] == events
        right = right and (seen["raw"] == 0 if age is None else abs(lag["seconds"] - age) < SLACK_SECONDS)
        told = f"{lag['events']} events, {seen['raw']} s" if lag else seen.get("error", "no answer")
        require(
            right,
            f"published 3 events 100 s ago and 3,000 events 10 s ago, and asked for the lag at {offset}",
            expected=f"{events} events, {'0' if age is None else f'about {age:g}'} s",
            saw=told,
            means=f"{RAISED if 'error' in seen and case != 'silent' else means} Look at `_ask` in lag.py.",
        )
    require(
        found["deleted"]["consumers"] == 1,
        "asked for the lag several times, and counted the consumers",
        expected="one consumer, kept in `self._consumer`",
        saw=found["deleted"]["consumers"],
        means="Each consumer opens connections and has a thread. Make it once. Look at `_ask` in lag.py.",
    )
