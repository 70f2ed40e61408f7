"""A program that gives batches to the learner's projector, with servers whose answers the check chooses."""

LETTERS = """
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
    return Projector(servers, servers, servers)

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
