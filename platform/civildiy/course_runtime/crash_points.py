"""Crash points: named places in the code at which a process kills itself, to prove that a crash does no harm.

Normally they cost nothing: a method is wrapped only when `CRASH_POINTS` names its point at the start of the
process. `relay.after-publish` kills the process when it reaches the point for the first time, and
`relay.after-publish@3` at the third time. A restarted process counts from one again.

This module is part of the course and not of the chassis, because it names the users of the chassis: methods
of the relay, the projector and the rebuild, some of them private. Those modules know nothing of crash points
and stay as readable as in production. The price is that a method is named by a string: a renamed method would
silently lose its point. So tests/unit/test_crash_points.py looks up each method by its name.
"""

import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

MARK = "CRASH-POINT "
"""The log shows this in front of the name of the point at which the process died."""


@dataclass(frozen=True)
class Point:
    """A place before or after a method. `unit` is the process that runs it, `seam` what is done by then."""

    unit: str
    when: Literal["before", "after"]
    module: str
    method: str
    seam: str


POINTS: dict[str, Point] = {
    "posts.before-document": Point(
        "posts", "before", "pymongo.asynchronous.collection", "AsyncCollection.insert_one",
        "accepted, nothing is stored"
    ),
    "posts.after-document": Point(
        "posts", "after", "pymongo.asynchronous.collection", "AsyncCollection.insert_one",
        "stored, the client has no answer"
    ),
    "relay.before-publish": Point(
        "posts-relay", "before", "civildiy.posts.relay.main", "Relay._publish", "read, not on the topic"
    ),
    "relay.after-publish": Point(
        "posts-relay", "before", "civildiy.posts.relay.outbox", "Outbox.mark_sent",
        "on the topic, not marked: it is sent again",
    ),
    "projector.before-effect": Point(
        "feed-projector", "before", "redis.client", "Pipeline.execute", "read, not in the view"
    ),
    "projector.after-effect": Point(
        "feed-projector", "after", "redis.client", "Pipeline.execute",
        "in the view, its offset noted nowhere: it is applied again",
    ),
    "projector.before-commit": Point(
        "feed-projector", "after", "civildiy.feed.projector.projection", "Projection.apply",
        "in the view, the offset noted there and not in Kafka",
    ),
    "projector.in-rebalance": Point(
        "feed-projector", "before", "civildiy.feed.projector.group", "Group.on_partitions_assigned",
        "it has the partition and has not read its offset",
    ),
    "rebuild.before-switch": Point(
        "feed-tool", "before", "civildiy.operations.rebuild", "Rebuild._follow",
        "the new view is half built in a second database"
    ),
    "rebuild.after-switch": Point(
        "feed-tool", "after", "civildiy.operations.rebuild", "Rebuild._switch",
        "switched over, not reported",
    ),
}  # fmt: skip


def arm(environment: Mapping[str, str] = os.environ) -> None:
    """Wrap the methods that CRASH_POINTS names. Raises KeyError for a point that does not exist."""
    for entry in filter(None, environment.get("CRASH_POINTS", "").split(",")):
        name, _, times = entry.partition("@")
        point = POINTS[name]
        owner: Any = importlib.import_module(point.module)
        class_name, _, method = point.method.partition(".")
        owner = getattr(owner, class_name)
        setattr(owner, method, _wrapped(getattr(owner, method), name, point.when, int(times or 1)))


def _wrapped(function: Callable[..., Any], name: str, when: str, times: int) -> Callable[..., Any]:
    left = times

    def reached(at: str) -> None:
        nonlocal left
        left -= at == when
        if at == when and left == 0:
            die(name)

    @wraps(function)
    def around(*args: Any, **kwargs: Any) -> Any:
        reached("before")
        result = function(*args, **kwargs)
        reached("after")
        return result

    @wraps(function)
    async def around_async(*args: Any, **kwargs: Any) -> Any:
        reached("before")
        result = await function(*args, **kwargs)
        reached("after")
        return result

    return around_async if inspect.iscoroutinefunction(function) else around


def die(name: str) -> None:
    """Write the name of the point, and end the process as `kill -9` does: nothing is flushed or closed."""
    os.write(sys.stderr.fileno(), f"\n{MARK}{name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
