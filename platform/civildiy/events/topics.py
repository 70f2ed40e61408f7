"""The topics, and how they are made. Kafka makes none by itself here."""

from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from civildiy.events.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC

DAY_MS = 24 * 60 * 60 * 1000

TOPICS = {
    # One partition: the order of the whole topic is the order of the feed.
    POSTS_TOPIC: 7 * DAY_MS,
    # Dead letters wait for a person, so they stay longer than what they came from.
    DEAD_LETTER_TOPIC: 30 * DAY_MS,
}
"""Retention of each topic, in milliseconds."""


def ensure_topics(admin: KafkaAdminClient) -> None:
    """Create what is missing; doing it twice changes nothing. Raises kafka.errors.KafkaError."""
    for topic, retention in TOPICS.items():
        configs = {"retention.ms": str(retention)}
        try:
            admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
        except TopicAlreadyExistsError:
            continue
