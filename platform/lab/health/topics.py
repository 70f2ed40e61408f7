"""Check Kafka's topics: whether they exist, with the partitions and the retention that the system needs."""

import socket
from collections.abc import Mapping
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from pymongo import MongoClient

from civildiy.chassis.clients.kafka import admin
from civildiy.contracts.posts.envelope import POSTS_TOPIC
from civildiy.contracts.posts.topics import TOPICS
from civildiy.posts.relay.shards import read_layout
from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.finding import SECONDS, Finding, Findings

WHAT = "Kafka"
DAY_MS = 24 * 60 * 60 * 1000
LOST = "./lab up creates it again; then: ./lab rebuild"


def look(backend: Backend) -> Findings:
    """Yield topics that are missing or differ. Raises OSError and KafkaError."""
    address = backend.endpoints()["kafka"]
    host, _, port = address.rpartition(":")
    # A refused connection is noticed sooner without Kafka's client.
    socket.create_connection((host, int(port)), SECONDS * slow()).close()
    patience = int(1000 * SECONDS * slow())
    client = admin(address, request_timeout_ms=patience, bootstrap_timeout_ms=patience)
    try:
        partitions = {topic["name"]: len(topic["partitions"]) for topic in client.describe_topics()}
        names = [name for name in TOPICS if name in partitions]
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        retention = _retention(client.describe_configs(resources)) if names else {}
    finally:
        client.close()
    findings = [*judge(partitions, retention, _shards(backend) if partitions.get(POSTS_TOPIC, 1) > 1 else 1)]
    yield from findings or [Finding(WHAT, f"the topics {' and '.join(TOPICS)} exist as configured")]


def judge(partitions: Mapping[str, int], retention: Mapping[str, str], shards: int = 1) -> Findings:
    """Yield what is wrong. `partitions`: their number by topic; `retention`: milliseconds by topic.

    `shards` is the number that the relays know: they publish with an older one until `./lab partitions`.
    """
    for topic, expected in TOPICS.items():
        if topic not in partitions:
            seen = f"the topic {topic} does not exist, so events cannot be published"
            yield Finding(WHAT, seen, LOST, again=True)
            continue
        known = shards if topic == POSTS_TOPIC else 1
        if (count := partitions[topic]) > known:
            seen = (
                f"the topic {topic} has {count} partitions instead of {known},"
                " so the events of a post may lose their order"
            )
            again = "./lab reset, then ./lab up (this deletes all data)"
            yield Finding(WHAT, seen, f"./lab partitions {count}" if topic == POSTS_TOPIC else again)
        if (kept := retention.get(topic, "unknown")) != str(expected):
            seen = (
                f"the topic {topic} keeps records for {kept} ms"
                f" instead of {expected} ms ({expected // DAY_MS} days)"
            )
            yield Finding(WHAT, seen, "./lab up sets it again", again=True)


def _shards(backend: Backend) -> int:
    """Return the number of partitions that the relays know. Raises PyMongoError."""
    host, _, port = backend.endpoints()["mongodb"].rpartition(":")
    patience = int(1000 * SECONDS * slow())
    client: MongoClient[dict[str, Any]] = MongoClient(
        host, int(port), directConnection=True, serverSelectionTimeoutMS=patience, timeoutMS=patience
    )
    with client:
        return read_layout(client["posts"]["leases"]).shards or 1


def _retention(answer: Any) -> dict[str, str]:
    """Return retention.ms by topic; the client has two forms of the answer."""
    retention = {}
    if isinstance(answer, Mapping):  # {resource type: {topic: {config: value}}}
        for resources in answer.values():
            for name, configs in resources.items():
                setting = configs.get("retention.ms")
                retention[name] = str(setting.get("value") if isinstance(setting, Mapping) else setting)
    return retention
