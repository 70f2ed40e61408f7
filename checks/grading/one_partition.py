"""Labs whose checks read one partition of the topic: with several they miss events, and blame the code."""

from kafka.errors import KafkaError

from grading.outcome import NotGradable
from grading.stack import backend
from lab.course.exercise import Exercise
from lab.course.partitions import BACK_TO_ONE, of_checks
from lab.errors import NotWithThisEngine


def need_one_partition(lab: Exercise) -> None:
    """Raise NotWithThisEngine, so the check is not gradable, if the topic has several partitions."""
    try:
        why = of_checks(backend, lab)
    except KafkaError as error:
        raise NotGradable(f"Kafka does not tell the partitions of the topic: {error}") from error
    if why:
        raise NotWithThisEngine(why, BACK_TO_ONE)
