"""Lessons that read the only partition of the topic: what to do on a system whose topic has several."""

from civildiy.contracts.posts.envelope import POSTS_TOPIC
from lab.backends.protocol import Backend
from lab.course.exercise import Exercise

ONE_PARTITION = ("06", "07", "08")
"""The labs whose checks read the topic; their exercises know one partition, too."""

BACK_TO_ONE = "./lab reset, then ./lab up without LAB_PARTITIONS (this deletes all data)"
"""Kafka takes no partition away, so there is no other way back."""


def too_many(backend: Backend, readers: str) -> str:
    """Return why `readers` cannot work on this system; '' if its topic has one partition. Raises KafkaError.

    They would find only a part of the events, and take the others for lost.
    """
    from civildiy.contracts.posts.topic_reader import count_partitions  # imports kafka-python, which is slow

    found = count_partitions(backend.endpoints()["kafka"])
    return "" if found == 1 else f"the topic {POSTS_TOPIC} has {found} partitions; {readers} read one"


def of_checks(backend: Backend, lab: Exercise) -> str:
    """Return why the checks of `lab` cannot judge on this system; '' if they can. Raises KafkaError."""
    if lab.number not in ONE_PARTITION:
        return ""
    return too_many(backend, f"the checks of labs {ONE_PARTITION[0]} to {ONE_PARTITION[-1]}")


def why_not(backend: Backend, lab: Exercise) -> str:
    """Return the same for a system that may be down; '' then, because the checks tell that themselves."""
    if lab.number not in ONE_PARTITION or not backend.running():
        return ""
    from kafka.errors import KafkaError

    try:
        return of_checks(backend, lab)
    except KafkaError:
        return ""
