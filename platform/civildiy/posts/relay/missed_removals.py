"""Finds posts that vanished from MongoDB without anybody noticing: the topic still shows them.

MongoDB keeps no list of what it removed. Who was away for longer than its log reaches back can only compare.
Blocking clients: for the relay's process.
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
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.posts.document import PostContent, StoredPost
from civildiy.posts.relay.outbox import expired_event

PART = 500
"""Records that are compared at a time: new events need not wait for more, and they fit into memory."""


def vanished(bootstrap: str, posts: Collection[StoredPost]) -> Iterator[Sequence[PostRemoved]]:
    """Removals of posts that are on the topic and not in MongoDB, one list for each part of the topic.

    A removal may have been told already, in a later part; readers go by the post's version and know it
    then. Raises KafkaError, PyMongoError, and RecordsGone when the topic forgets what is to be read next.
    """
    with Topic(bootstrap) as topic:
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
            wanted = {"_id": {"$in": [ObjectId(post_id) for post_id in shown]}}
            there = {str(post["_id"]) for post in posts.find(wanted, {"_id": 1})}
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
