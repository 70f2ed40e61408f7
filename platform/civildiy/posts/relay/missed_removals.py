"""Finds removals that the relay missed: posts that the topic still shows and MongoDB no longer has.

MongoDB keeps no list of the documents that it removed. A relay that was down for longer than MongoDB's log
reaches back can only compare the topic with the collection. Blocking clients: for the relay's process.
"""

from collections.abc import Iterator, Sequence

from bson import ObjectId
from pymongo.collection import Collection

from civildiy.chassis.observability.tracing import continued_trace
from civildiy.contracts.posts.envelope import (
    PoisonEvent,
    PostEvent,
    PostPut,
    PostRemoved,
    UnknownType,
    decode,
)
from civildiy.contracts.posts.topic_reader import Topic, count_partitions
from civildiy.posts.document import PostContent, StoredPost
from civildiy.posts.relay.outbox import expired_event

PART = 100
"""Number of records in one comparison: the largest fit into memory, and new events do not wait for more."""


def vanished(bootstrap: str, posts: Collection[StoredPost]) -> Iterator[Sequence[PostRemoved]]:
    """Yield the removals of posts that are on the topic and not in MongoDB, a list for each part of the
    topic.

    A later part of the topic, or another partition, may hold the same removal already; consumers then
    recognise it by the post's version. Raises KafkaError, PyMongoError, and RecordsGone when Kafka deletes
    the next record to read.
    """
    for partition in range(count_partitions(bootstrap)):
        yield from _vanished(bootstrap, partition, posts)


def _vanished(
    bootstrap: str, partition: int, posts: Collection[StoredPost]
) -> Iterator[Sequence[PostRemoved]]:
    with Topic(bootstrap, partition=partition) as topic:
        end, first = topic.end(), topic.first()
        for begin in range(first, end, PART):
            topic.seek(begin)
            shown: dict[str, PostEvent] = {}
            for record in topic.until(min(begin + PART, end)):
                try:
                    event = decode(record.value)
                except (UnknownType, PoisonEvent):
                    continue
                shown[event.data.post_id] = event
            query = {"_id": {"$in": [ObjectId(post_id) for post_id in shown]}}
            there = {str(post["_id"]) for post in posts.find(query, {"_id": 1})}
            gone = [event for post_id, event in shown.items() if post_id not in there]
            yield [_removal(event) for event in gone if isinstance(event, PostPut)]


def _removal(last: PostPut) -> PostRemoved:
    data = last.data
    state: PostContent = {
        "_id": ObjectId(data.post_id),
        "user_id": data.user_id,
        "title": data.title,
        "content": data.content,
        "tags": data.tags,
        "created_at": data.created_at,
        "updated_at": data.updated_at,
        "expires_at": data.expires_at,
        "version": last.postversion,
    }
    return expired_event(state, continued_trace(None))
