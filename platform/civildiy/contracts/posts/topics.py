"""The topics, and how they are made. Kafka makes none by itself here."""

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC

DAY_MS = 24 * 60 * 60 * 1000

TOPICS = {
    # One partition: the order of the whole topic is the order of the feed.
    POSTS_TOPIC: 7 * DAY_MS,
    # Dead letters wait for a person, so they stay longer than what they came from.
    DEAD_LETTER_TOPIC: 30 * DAY_MS,
}
"""Retention of each topic, in milliseconds; records may stay for up to a day longer."""


def ensure_topics(admin: KafkaAdminClient) -> None:
    """Create what is missing, and set what is there; doing it twice changes nothing. Raises KafkaError."""
    for topic, retention in TOPICS.items():
        # Kafka deletes whole segments only, when their last record is old enough. Left to itself a quiet
        # topic has one segment for ever.
        configs = {"retention.ms": str(retention), "segment.ms": str(DAY_MS)}
        try:
            admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
        except TopicAlreadyExistsError:
            # An earlier version may have made it; what else is set on it stays.
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)], incremental=True)
