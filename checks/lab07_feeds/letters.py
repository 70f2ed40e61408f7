"""Batches that the check hands to the projector itself, with faults of Kafka and Redis at chosen moments."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

PROGRAM = """
import json, logging
from datetime import UTC, datetime
from bson import ObjectId
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from redis.exceptions import ConnectionError
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC, encode
from civildiy.feed.projector.main import Projector
from civildiy.posts.relay.outbox import put_event

AT = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = ConsumerRecord._fields if hasattr(ConsumerRecord, "_fields") else ConsumerRecord.__slots__

def record(offset, value, key=b"key"):
    known = {"topic": POSTS_TOPIC, "partition": 0, "headers": []}
    known |= {"offset": offset, "key": key, "value": value}
    return ConsumerRecord(**{name: known.get(name) for name in FIELDS})

def good(offset):
    document = {
        "_id": ObjectId(f"{offset:024x}"), "user_id": 1, "tags": [], "title": "t", "content": "c",
        "created_at": AT, "updated_at": AT, "expires_at": None, "version": 1,
    }
    return record(offset, encode(put_event("post.created", document, AT, "trace")))

class Answer(FutureRecordMetadata):
    def get(self, timeout=None):
        found = super().get(timeout)
        log.append(f"acknowledged {self.offset}" + (" without a time limit" if timeout is None else ""))
        return found

class Told(logging.Handler):
    def emit(self, record):
        told.append(record.getMessage())

class Servers:
    # Kafka and Redis as the projector sees them: what it tells them goes into `log`.
    fail_letter, fail_apply = None, False

    def send(self, topic, value=None, key=None, headers=None, **more):
        told = {name: bytes(text).decode(errors="replace") for name, text in headers or []}
        offset = int(told.get("offset", -1))
        begins = (key or b"")[:20].decode(errors="replace")
        letters.append([topic, begins, len(key or b""), len(value or b""), told])
        result = FutureProduceResult(TopicPartition(topic, 0))
        future = Answer(result, 0, 0, None, 0, 0, 0)
        future.offset = offset
        if offset == self.fail_letter:
            result.failure(KafkaTimeoutError("made by the check"))
        else:
            result.success((0, 0, None))
        return future

    def flush(self, timeout=None):
        pass

    def apply(self, events, following, skipped, dead):
        if self.fail_apply:
            raise ConnectionError("made by the check")
        log.append(f"applied to {following}")
        applied.append([len(events), following, skipped, dead])

    def commit(self, offsets):
        (found,) = offsets.values()
        log.append(f"committed {found.offset}")

log, letters, applied, told = [], [], [], []
logging.getLogger("civildiy").setLevel(logging.INFO)
logging.getLogger("civildiy").addHandler(Told())

def batch(projector, records):
    log.clear(), letters.clear(), applied.clear()
    try:
        projector._apply(records)
        raised = "nothing"
    except Exception as error:
        raised = type(error).__name__
    return {"log": [*log], "letters": [*letters], "applied": [*applied], "raised": raised}

def projector(servers):
    return Projector(servers, servers, servers, None, lambda: True)

unknown = b'{"specversion": "1.0", "type": "post.applauded"}'
mixed = [good(10), record(11, unknown), record(12, b"not JSON", None), good(13), record(14, b"{}", b"k")]
servers = Servers()
mine = projector(servers)
found = {"mixed": batch(mine, mixed)}
found["logged"] = [line for line in told if "11" in line and "post.applauded" in line]
found["later"] = batch(mine, [good(15)])
found["gap"] = batch(projector(servers), [good(20), record(22, unknown), good(27)])
found["large"] = batch(mine, [record(16, b"x" * 1_200_000, b"k" * 2000)])
found["empty"] = batch(mine, [record(17, None, None)])
servers = Servers()
mine = projector(servers)
servers.fail_letter = 14
found["refused"] = batch(mine, mixed)
servers.fail_letter = None
found["again"] = batch(mine, mixed)
servers = Servers()
mine = projector(servers)
servers.fail_apply = True
found["redis"] = batch(mine, mixed)
servers.fail_apply = False
found["redis again"] = batch(mine, mixed)
say(DEAD_LETTER_TOPIC)
say(json.dumps(found))
"""
MODULE = "civildiy.feed.projector.main"
APPLY, BURY = "Look at `_apply` in projector.py.", "Look at `_bury` in projector.py."
MIXED = (
    "gave _apply() a batch with two good events, one of an unknown type and two poison records (offsets 10 to"
    " 14)"
)


@check(points=3)
def test_letters_step_by_step(lab: Exercise) -> None:
    """Of a mixed batch each record is handled once, and nothing moves on before Kafka has the dead letters"""
    with beside(lab, "feed-projector", PROGRAM, only=(MODULE,)) as module:
        topic = module.hear("your projector to apply some batches", within=20)
        found: dict[str, Any] = json.loads(module.hear("your projector to apply some batches", within=20))
    mixed = found["mixed"]
    require(
        mixed["applied"] == [[2, 15, 1, 2]] and mixed["raised"] == "nothing",
        MIXED,
        expected="one call of apply with 2 events, following 15, skipped 1 and dead 2",
        saw=f"raised {mixed['raised']}; apply was called with {mixed['applied']} (events, following, skipped,"
        " dead)",
        means="Each record of the batch counts once: as an event, as skipped, or as dead. `following` is the"
        f" last offset plus 1. One record that cannot be read must not stop the others. {APPLY}",
    )
    require(
        [letter[4].get("offset") for letter in mixed["letters"]] == ["12", "14"]
        and {letter[0] for letter in mixed["letters"]} == {topic},
        MIXED,
        expected=f"two dead letters on {topic}, of the offsets 12 and 14",
        saw=[(letter[0], letter[4].get("offset")) for letter in mixed["letters"]],
        means="Only a record that can never be applied is poison. An unknown type is counted and logged,"
        f" because a newer service may know it. {APPLY}",
    )
    told = mixed["letters"][0][4]
    require(
        told.get("reason", "").startswith("not JSON") and mixed["letters"][1][1] == "k",
        MIXED,
        expected="dead letters with the record's key, and the reason why it cannot be read",
        saw=f"headers {told}, key {mixed['letters'][1][1]!r}",
        means="A person reads the reason, and `./lab redrive` sends the record back with its key. The reason"
        f" is the text of PoisonEvent. {BURY}",
    )
    _in_order(mixed["log"], ["acknowledged 12", "acknowledged 14", "applied to 15", "committed 15"], MIXED)
    _in_order(
        found["later"]["log"], ["applied to 16", "committed 16"], "then gave it a batch with one good event"
    )
    require(
        found["logged"],
        MIXED,
        expected="a line in the log with offset 11 and the unknown type post.applauded",
        saw="no such line",
        means="A skipped event leaves no other trace, so nobody could find out why the feed lacks something."
        f' `log.info("skipped offset %s: unknown event type %s", record.offset, error)`. {APPLY}',
    )
    gap = found["gap"]
    require(
        gap["log"] == ["applied to 28", "committed 28"],
        "gave _apply() three records with the offsets 20, 22 and 27: Kafka has no others in between",
        expected="applied to 28, committed 28",
        saw=", ".join(gap["log"]) or gap["raised"],
        means="Offsets have gaps. An offset that is made by counting records is too low, and the same"
        f" records are read again. `following` is the offset of the last record plus 1. {APPLY}",
    )
    large = found["large"]
    require(
        [letter[2:4] for letter in large["letters"]] == [[1000, 1_000_000]] and large["raised"] == "nothing",
        "gave _apply() a poison record with a key of 2,000 bytes and a value of 1,200,000 bytes",
        expected="a dead letter with a key of 1,000 bytes and a value of 1,000,000 bytes",
        saw=[letter[2:4] for letter in large["letters"]] or large["raised"],
        means="The broker refuses a dead letter that is larger than the record was, so the projector would"
        f" try for ever. Use what `fitting(record, reason)` returns. {BURY}",
    )
    _refused(found)


def _refused(found: dict[str, Any]) -> None:
    did = f"{MIXED}, and let Kafka not acknowledge the second dead letter"
    refused, again = found["refused"], found["again"]
    require(
        refused["raised"] != "nothing" and not refused["applied"] and "committed 15" not in refused["log"],
        did,
        expected="the KafkaError, and neither effects nor an offset",
        saw=f"raised {refused['raised']}; then {refused['log'] or 'nothing'}",
        means="The offset moved on, so the batch is not read again, and the dead letter is lost. Bury poison"
        f" records before `self._projection.apply`, wait for the answer, and let its error pass. {APPLY}",
    )
    offsets = [letter[4].get("offset") for letter in again["letters"]]
    require(
        offsets == ["14"] and again["applied"] == [[2, 15, 1, 2]],
        f"{did}; then gave it the same batch again",
        expected="a dead letter of offset 14 only, and the effects of the whole batch",
        saw=f"dead letters of {offsets}; calls of apply: {again['applied']}",
        means="Offset 12 was acknowledged, offset 14 was not. Set `self._buried` after the answer, and skip"
        f" offsets that are not above it. {BURY}",
    )
    did = f"{MIXED}, and let Redis refuse the effects"
    redis, again = found["redis"], found["redis again"]
    require(
        redis["raised"] != "nothing" and not any("committed" in line for line in redis["log"]),
        did,
        expected="the error of Redis, and no commit",
        saw=f"raised {redis['raised']}; then {redis['log']}",
        means=f"Commit the offset after the effects, and let errors go up to `run`. {APPLY}",
    )
    require(
        not again["letters"] and again["applied"] == [[2, 15, 1, 2]],
        f"{did}; then gave it the same batch again",
        expected="the effects of the whole batch, and no further dead letter",
        saw=f"dead letters of {[letter[4].get('offset') for letter in again['letters']]}; calls of apply:"
        f" {again['applied']}",
        means="The batch is read again until Redis takes it. A record that was buried already, up to the"
        f" offset `self._buried`, is counted as dead, but gets no second dead letter. {BURY}",
    )


def _in_order(seen: list[str], wanted: list[str], did: str) -> None:
    require(
        seen == wanted,
        did,
        expected=", ".join(wanted),
        saw=", ".join(seen),
        means="First Kafka acknowledges each dead letter (`.get(10)` waits for it, at most 10 s), then the"
        " effects are applied, and last the offset is committed. In another order a crash in between loses"
        " something."
        f" {APPLY}",
    )
