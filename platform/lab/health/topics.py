"""Kafka's topics: whether they exist, with the partitions and the retention that the system needs."""

import socket
from collections.abc import Mapping
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType

from civildiy.chassis.clients.kafka import admin as admin_client
from civildiy.contracts.posts.topics import TOPICS
from lab.backends.protocol import Backend
from lab.health.finding import SECONDS, Finding, Findings
from lab.probes.readiness import slow

WHAT = "Kafka"
DAY_MS = 24 * 60 * 60 * 1000
LOST = "./lab up creates it again; then: ./lab rebuild"


def look(backend: Backend) -> Findings:
    """Topics that are missing or differ. Raises OSError and KafkaError."""
    address = backend.endpoints()["kafka"]
    host, _, port = address.rpartition(":")
    # First by hand: a client whose constructor fails leaves its thread behind.
    socket.create_connection((host, int(port)), SECONDS * slow()).close()
    patience = int(1000 * SECONDS * slow())
    admin = admin_client(address, request_timeout_ms=patience, bootstrap_timeout_ms=patience)
    try:
        there = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        names = [name for name in TOPICS if name in there]
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        retention = _retention(admin.describe_configs(wanted)) if names else {}
    finally:
        admin.close()
    found = [*judge(there, retention)]
    yield from found or [Finding(WHAT, f"the topics {' and '.join(TOPICS)} exist as they should")]


def judge(there: Mapping[str, int], retention: Mapping[str, str]) -> Findings:
    """What is wrong. `there`: partitions by topic; `retention`: milliseconds by topic, as Kafka has them."""
    for topic, wanted in TOPICS.items():
        if topic not in there:
            seen = f"the topic {topic} does not exist, so events cannot be published"
            yield Finding(WHAT, seen, LOST, again=True)
            continue
        if there[topic] != 1:
            seen = f"the topic {topic} has {there[topic]} partitions instead of 1, so events lose their order"
            yield Finding(WHAT, seen, "./lab reset, then ./lab up (this deletes all data)")
        if (kept := retention.get(topic, "unknown")) != str(wanted):
            seen = (
                f"the topic {topic} keeps records for {kept} ms"
                f" instead of {wanted} ms ({wanted // DAY_MS} days)"
            )
            yield Finding(WHAT, seen, "./lab up sets it again", again=True)


def _retention(answer: Any) -> dict[str, str]:
    """retention.ms by topic, in whichever form the client gives the answer."""
    found = {}
    if isinstance(answer, Mapping):  # {resource type: {topic: {config: value}}}
        for resources in answer.values():
            for name, configs in resources.items():
                setting = configs.get("retention.ms")
                found[name] = str(setting.get("value") if isinstance(setting, Mapping) else setting)
    return found
