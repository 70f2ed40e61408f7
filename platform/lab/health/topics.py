"""Check Kafka's topics: whether they exist, with the partitions and the retention that the system needs."""

import socket
from collections.abc import Mapping
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType

from civildiy.chassis.clients.kafka import admin
from civildiy.contracts.posts.topics import TOPICS
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
    findings = [*judge(partitions, retention)]
    yield from findings or [Finding(WHAT, f"the topics {' and '.join(TOPICS)} exist as configured")]


def judge(partitions: Mapping[str, int], retention: Mapping[str, str]) -> Findings:
    """Yield what is wrong. `partitions`: their number by topic; `retention`: milliseconds by topic."""
    for topic, expected in TOPICS.items():
        if topic not in partitions:
            seen = f"the topic {topic} does not exist, so events cannot be published"
            yield Finding(WHAT, seen, LOST, again=True)
            continue
        if (count := partitions[topic]) != 1:
            seen = f"the topic {topic} has {count} partitions instead of 1, so events lose their order"
            yield Finding(WHAT, seen, "./lab reset, then ./lab up (this deletes all data)")
        if (kept := retention.get(topic, "unknown")) != str(expected):
            seen = (
                f"the topic {topic} keeps records for {kept} ms"
                f" instead of {expected} ms ({expected // DAY_MS} days)"
            )
            yield Finding(WHAT, seen, "./lab up sets it again", again=True)


def _retention(answer: Any) -> dict[str, str]:
    """Return retention.ms by topic; the client has two forms of the answer."""
    retention = {}
    if isinstance(answer, Mapping):  # {resource type: {topic: {config: value}}}
        for resources in answer.values():
            for name, configs in resources.items():
                setting = configs.get("retention.ms")
                retention[name] = str(setting.get("value") if isinstance(setting, Mapping) else setting)
    return retention
