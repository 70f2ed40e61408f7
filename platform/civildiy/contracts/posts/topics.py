"""The topics and their settings. Kafka is configured not to create topics by itself."""

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC

DAY_MS = 24 * 60 * 60 * 1000

TOPICS = {
    POSTS_TOPIC: 7 * DAY_MS,
    # Dead letters wait until a person looks at them, so they stay longer than the events themselves.
    DEAD_LETTER_TOPIC: 30 * DAY_MS,
}
"""Retention of each topic, in milliseconds; records may stay for up to a day longer."""
SETTINGS = {
    # Kafka deletes only whole segments, when their last record is old enough. By default a quiet topic would
    # keep one segment for ever.
    "segment.ms": str(DAY_MS),
    # The broker unpacks what a producer has compressed, and refuses what is too large then. Otherwise 20 KB
    # could become 20 MB in the memory of a consumer, which could neither apply nor dead-letter the record.
    "compression.type": "uncompressed",
    "max.message.bytes": str(1024 * 1024 + 12),  # Kafka's default
}
"""What both topics have in common."""


def ensure_topics(admin: KafkaAdminClient, partitions: int = 1) -> None:
    """Create missing topics and correct the settings of others; idempotent. Raises KafkaError.

    A new POSTS_TOPIC gets this number of partitions. An existing one keeps its own: to add some to a topic
    in use, `civildiy.operations.grow` must first stop the relays.
    """
    for topic, retention in TOPICS.items():
        configs = {"retention.ms": str(retention), **SETTINGS}
        count = partitions if topic == POSTS_TOPIC else 1
        try:
            admin.create_topics(
                {topic: {"num_partitions": count, "replication_factor": 1, "configs": configs}}
            )
        except TopicAlreadyExistsError:
            # An earlier version may have created it; its other settings stay.
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)], incremental=True)
