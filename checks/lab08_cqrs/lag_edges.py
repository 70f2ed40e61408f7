"""Lag on a topic of the check's own, where the ages of all records are known."""

import json
import secrets
import time

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check
from grading.stack import ENDPOINTS
from kafka import TopicPartition
from kafka.admin import NewTopic

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.chassis.clients.kafka import producer
from lab.course.exercise import Exercise

PROGRAM = """
import json, os, sys
import psutil
from kafka import TopicPartition
from civildiy.feed import lag

kafka, lag.POSTS_TOPIC = sys.argv[1:]
lag.PARTITION = TopicPartition(lag.POSTS_TOPIC, 0)
meter = lag.LagMeter(kafka)

def measure(offset, of=meter):
    try:
        found = of.measure(offset)
    except NotImplementedError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return found and [found.events, found.seconds]

def often(times):
    meter.measure(0)
    before = len(psutil.Process().net_connections("tcp"))
    for number in range(times):
        meter.measure(number + 1)
    return len(psutil.Process().net_connections("tcp")) - before

def unreachable(address):
    return measure(0, lag.LagMeter(address))

say("ready")
for line in sys.stdin:
    name, *words = json.loads(line)
    say(json.dumps(globals()[name](*words)))
"""
RECORDS, FIRST = 10, 4
STEP_SECONDS = 10
MEASURES = 8
AGE = (
    "The number of events is right, but the seconds are not the age of the oldest event that waits: seek to"
    " its offset before each poll, because each poll moves the consumer on. `timestamp` is in milliseconds."
)


@check(points=2)
def test_lag_at_the_edges(lab: Exercise) -> None:
    """Lag is right for an empty view, after records were deleted, and beyond the end"""
    name = f"checks-{secrets.token_hex(6)}"
    admin = admin_client(ENDPOINTS["kafka"], bootstrap_timeout_ms=5000)
    client = producer(ENDPOINTS["kafka"])
    try:
        admin.create_topics([NewTopic(name, 1, 1)])
        now = time.time()
        for number in range(RECORDS):
            age = (RECORDS - number) * STEP_SECONDS
            client.send(name, value=b"{}", timestamp_ms=int((now - age) * 1000)).get(20)
        admin.delete_records({TopicPartition(name, 0): FIRST})
        with beside(lab, "feed", PROGRAM, ENDPOINTS["kafka"], name) as module:
            module.hear("your module to be imported", within=20)

            def ask(*words: object) -> object:
                module.tell(json.dumps(words))
                return json.loads(module.hear(f"{words[0]}() to return"))

            for offset, what, behind, means in (
                (
                    None, "no offset yet (its Redis was emptied)", RECORDS - FIRST,
                    "A view that has applied nothing is behind by all that the topic holds, from its first"
                    " record on. 0 would call an empty view up to date.",
                ),
                (
                    0, f"offset 0, while the topic begins at {FIRST}", RECORDS - FIRST,
                    "Records that Kafka deleted cannot be read any more, so they do not count. The count"
                    " begins"
                    " at the topic's first offset.",
                ),
                (FIRST, "the offset of the first record", RECORDS - FIRST, "All records wait."),
                (7, "offset 7", 3, "Lag is the end of the topic minus the next offset of the view."),
                (RECORDS - 1, "the offset of the last record", 1, "One record waits."),
                (RECORDS, "the end of the topic", 0, "Nothing waits: 0 events and 0 seconds."),
                (
                    RECORDS + 5, "an offset beyond the end (of a topic that was made again)", 0,
                    "A negative number of events cannot wait.",
                ),
            ):  # fmt: skip
                seen = ask("measure", offset)
                _answered(seen)
                events, seconds = seen if isinstance(seen, list) else (None, None)
                waited: float = behind * STEP_SECONDS + time.time() - now if behind else 0.0
                require(
                    events == behind and seconds is not None and abs(seconds - waited) < STEP_SECONDS / 4,
                    f"made a topic of {RECORDS} records, {STEP_SECONDS} s apart, deleted the first"
                    f" {FIRST}, and"
                    f" measured the lag of a view with {what}",
                    expected=f"{behind} events, and in seconds the age of the oldest record that waits",
                    saw=f"{events} events, {seconds} s; that record is {waited:.1f} s old"
                    if seen
                    else "None",
                    means=f"{means if events != behind else AGE} Look at `LagMeter._ask` in lag.py.",
                )
            more = ask("often", MEASURES)
            require(
                isinstance(more, int) and more < MEASURES / 2,
                f"measured the lag {MEASURES} times, and counted the connections of the process",
                expected="no more connections than before",
                saw=f"{more} more",
                means="Each measurement opens a connection to Kafka and keeps it. Use `self._consumer`"
                " again in"
                " `LagMeter._ask` in lag.py.",
            )
            unknown = ask("unreachable", "127.0.0.1:9")
            require(
                unknown is None,
                "measured the lag while Kafka could not be reached",
                expected="None: it is not known",
                saw=unknown,
                means="A lag that could not be measured must not look like a lag of 0. Let Kafka's errors"
                " pass through `LagMeter._ask` in lag.py.",
            )
    finally:
        client.close(timeout=5)
        admin.delete_topics([name])
        admin.close()


def _answered(seen: object) -> None:
    """The learner's code raised nothing."""
    require(
        not isinstance(seen, str),
        f"measured the lag on a topic of {RECORDS} records whose value is {{}}, which is no event",
        expected="a number of events and seconds",
        saw=seen,
        means="Your code raised an error although Kafka answered. The lag needs only the offsets and"
        " `record.timestamp`, so do not decode a record: poison can wait there as well. Look at"
        " `LagMeter._ask` in lag.py.",
    )
