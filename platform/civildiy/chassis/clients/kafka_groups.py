"""What the broker knows about a consumer group: its members and their partitions (blocking clients).

A member cannot tell by itself whether its group has all partitions. To a process that returns under its
static id, the broker gives the assignment of its predecessor, and keeps that one's name as the leader.
kafka-python (3.0.12) then takes itself for a follower, and only a leader watches the topic. So after the
restart of a single member, nobody does. Partitions that are added later belong to nobody, and those of a
deleted topic stay.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import MemberToRemove

from civildiy.chassis.clients.kafka import admin


def is_member(bootstrap: str, group: str, member: str, topic: str) -> bool:
    """Return whether `member` (a static id) is in `group`, and its group works. Raises KafkaError.

    A stable group must have divided exactly the partitions that `topic` has. If it has not, this function
    removes all members, and the next one that joins makes a new assignment.
    """
    with _asking(bootstrap) as broker:
        described = broker.describe_groups([group])[group]
        members = described["members"]
        if described["group_state"] == "Stable" and _divided(members, topic) != _existing(broker, topic):
            names = {known["group_instance_id"] for known in members} - {None}
            broker.remove_group_members(group, [MemberToRemove(group_instance_id=name) for name in names])
            return False
    return any(known["group_instance_id"] == member for known in members)


def is_owner(bootstrap: str, group: str, process: str, partition: TopicPartition) -> bool:
    """Return whether `process`, a member id of `group`, is assigned this partition now. Raises KafkaError."""
    with _asking(bootstrap) as broker:
        described = broker.describe_groups([group])[group]
    mine = [known for known in described["members"] if known["member_id"] == process]
    return described["group_state"] == "Stable" and partition.partition in _divided(mine, partition.topic)


@contextmanager
def _asking(bootstrap: str) -> Iterator[KafkaAdminClient]:
    broker = admin(bootstrap, request_timeout_ms=2_000)
    try:
        yield broker
    finally:
        broker.close()


def _divided(members: Iterable[Mapping[str, Any]], topic: str) -> set[int]:
    """Return the partitions of `topic` that are assigned to these members."""
    shares = [share for member in members for share in _shares(member) if share["topic"] == topic]
    return {number for share in shares for number in share["partitions"]}


def _shares(member: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the partitions that are assigned to a member, by topic."""
    return (member["member_assignment"] or {}).get("assigned_partitions") or ()


def _existing(broker: KafkaAdminClient, topic: str) -> set[int]:
    """Return the partitions that `topic` has; none if there is no such topic."""
    described = [found for found in broker.describe_topics([topic]) if found["name"] == topic]
    return {partition["partition_index"] for found in described for partition in found["partitions"]}
