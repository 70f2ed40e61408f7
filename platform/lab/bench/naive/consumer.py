"""The consumer of the naive service: puts each event into two lists in Redis, with several commands.

`python -m lab.bench.naive.consumer`. A redelivered event stands in the lists twice.
"""

import json
import os

from kafka import KafkaConsumer
from redis import Redis

from lab.bench.naive import APPLIED, FEED, FEED_MAX

TOPIC = os.environ["NAIVE_TOPIC"]


def main() -> None:
    """Consume until the process is ended."""
    redis = Redis.from_url(os.environ["NAIVE_REDIS"])
    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=os.environ["NAIVE_KAFKA"],
        group_id="naive",
        auto_offset_reset="earliest",
    )
    for record in consumer:
        for key in (FEED, f"{FEED}:{json.loads(record.value)['user_id']}"):
            redis.lpush(key, record.value)
            redis.ltrim(key, 0, FEED_MAX - 1)
        redis.incr(APPLIED)


if __name__ == "__main__":
    main()
