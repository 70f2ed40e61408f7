"""The topics, and how they are made. Kafka makes none by itself here."""

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from civildiy.events.envelope import DEAD_LETTER_TOPIC, POSTS_TOPIC

DAY_MS = 24 * 60 * 60 * 1000

TOPICS = (
    # One partition: the order of the whole topic is the order of the feed.
    NewTopic(POSTS_TOPIC, 1, 1, topic_configs={"retention.ms": str(7 * DAY_MS)}),
    # Dead letters wait for a person, so they stay longer than what they came from.
    NewTopic(DEAD_LETTER_TOPIC, 1, 1, topic_configs={"retention.ms": str(30 * DAY_MS)}),
)


def ensure_topics(admin: KafkaAdminClient) -> None:
    """Create what is missing; doing it twice changes nothing. Raises kafka.errors.KafkaError."""
    for topic in TOPICS:
        try:
            admin.create_topics([topic])
        except TopicAlreadyExistsError:
            continue
