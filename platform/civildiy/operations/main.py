"""The feed's tools: `python -m civildiy feed-verify`, `feed-rebuild`, `feed-redrive`, `feed-costs`,
`topic-grow`.

Each tool writes one JSON document to stdout and its log to stderr. Exit code 0 means that nothing was
found, and 1 that something was: the document has the details. Code 2 means that the tool could not do its
work; the last line of the log has the reason.

A tool reads the stores of several services, which no service may do. This is why the tools have a package of
their own: they are run by an operator, and they compare or repair what the services keep.
"""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import orjson
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from civildiy.chassis.clients import mongodb
from civildiy.chassis.clients.kafka import admin, group_consumer, producer
from civildiy.chassis.clients.redis import asynchronous, blocking
from civildiy.chassis.observability import telemetry
from civildiy.chassis.observability.logging import LogSettings, configure_logging
from civildiy.chassis.settings import load_settings
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC
from civildiy.contracts.posts.topic_reader import RecordsGone, Topic, count_partitions
from civildiy.contracts.posts.whole_topic import partitions_of, reader_of
from civildiy.feed import keys
from civildiy.feed.settings import ToolSettings
from civildiy.posts.document import StoredPost
from civildiy.posts.snapshot import post_states
from civildiy.posts.store import COLLECTION

log = logging.getLogger(__name__)

Answer = tuple[int, dict[str, Any]]
WAIT_MS = 5_000
ANSWER_SECONDS = 10.0
"""Redis may be busy with a whole list, or with a switch of databases."""
COSTS_SECONDS = 30.0
"""Redis gets thousands of entries at once while the costs are measured."""


class Tools:
    """The connections that the tools share; each one is opened when a tool needs it."""

    def __init__(self, settings: ToolSettings, patience: float, stack: ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._patience = patience

    def verify(self, options: argparse.Namespace) -> Answer:
        """Compare MongoDB, the topic and Redis."""
        from civildiy.operations.check import CheckUp  # imported here, because it may be a learner's module

        posts = self._posts()
        checkup = CheckUp(lambda: post_states(posts), self._topics(), self._redis(), self._patience)
        report = checkup.run()
        return (0 if report.consistent else 1), report.as_dict()

    def rebuild(self, options: argparse.Namespace) -> Answer:
        """Rebuild the view and switch to it."""
        from civildiy.feed.projector.note import ViewSwitched
        from civildiy.operations.other_partitions import by_partition
        from civildiy.operations.rebuild import Rebuild, RebuildFailed

        live, topic = self._redis(), reader_of(self._topics())
        rebuild = Rebuild(live, self._redis(keys.REBUILD_DATABASE), topic, self._patience)
        try:
            made_at, began = topic.end(), time.monotonic()
            summary = rebuild.run(post_states(self._posts()))
            summary.seconds = round(time.monotonic() - began, 3)
            for number, offset in enumerate(by_partition(made_at)):
                live.set(keys.rebuild_offset_of(number), offset)
        except RebuildFailed as error:
            return 1, {"switched": False, "why": str(error)}
        except ViewSwitched:
            return 1, {"switched": False, "why": "Somebody emptied the new view meanwhile. Run it again."}
        finally:
            with suppress(RedisError):  # then the lock expires, and the next rebuild starts from scratch
                rebuild.leave()
        return 0, {"switched": True, **asdict(summary)}

    def redrive(self, options: argparse.Namespace) -> Answer:
        """Send dead letters back, or only list them."""
        from civildiy.operations.redrive import GROUP, Redrive

        bootstrap = self._settings.kafka_bootstrap
        committed = group_consumer(bootstrap, GROUP, GROUP)
        self._stack.callback(committed.close)
        sender = producer(bootstrap)
        self._stack.callback(sender.close, timeout=5)
        posts = partial(post_states, self._posts())
        redrive = Redrive(self._topic(DEAD_LETTER_TOPIC), committed, sender, self._redis(), posts)

        def listed(letters: Sequence[Any]) -> list[dict[str, object]]:
            return [{"offset": each.offset, "reason": each.reason, "value": each.shown} for each in letters]

        if options.dry_run:
            return 0, {"waiting": listed(redrive.waiting())}
        done = redrive.run(self._patience)
        code = 1 if done.dead_again or not done.applied else 0
        return code, {
            "sent": listed(done.sent),
            "dead_again": listed(done.dead_again),
            "outdated": listed(done.outdated),
            "applied": done.applied,
        }

    def grow(self, options: argparse.Namespace) -> Answer:
        """Add partitions to the topic."""
        from civildiy.operations.grow import Grow, GrowFailed
        from civildiy.posts.relay.growth import Growth

        bootstrap = self._settings.kafka_bootstrap
        broker = admin(bootstrap, request_timeout_ms=10_000)
        self._stack.callback(broker.close)
        leases = self._mongodb()[self._settings.mongodb_database]["leases"]
        grow = Grow(
            Growth(leases),
            broker,
            self._redis(),
            partial(count_partitions, bootstrap),
            lambda number: Topic(bootstrap, partition=number),
            self._patience,
        )
        try:
            return 0, {"grown": True, **asdict(grow.run(options.partitions))}
        except GrowFailed as error:
            return 1, {"grown": False, "why": str(error)}

    def costs(self, options: argparse.Namespace) -> Answer:
        """Measure a page from the view and a page that MongoDB computes on demand."""
        from civildiy.operations.costs import REDIS_DATABASE, SIZES, measure

        settings = self._settings
        redis = asynchronous(settings.redis_host, settings.redis_port, REDIS_DATABASE, COSTS_SECONDS)
        return 0, {
            "costs": [asdict(cost) for cost in measure(self._mongodb(), redis, options.sizes or SIZES)]
        }

    def _redis(self, database: int = 0) -> Redis:
        settings = self._settings
        redis = blocking(settings.redis_host, settings.redis_port, database, ANSWER_SECONDS)
        self._stack.callback(redis.close)
        return redis

    def _topic(self, name: str) -> Topic:
        return self._stack.enter_context(Topic(self._settings.kafka_bootstrap, name))

    def _topics(self) -> Sequence[Topic]:
        return self._stack.enter_context(partitions_of(self._settings.kafka_bootstrap))

    def _mongodb(self) -> MongoClient[Any]:
        client = mongodb.blocking(self._settings.mongodb_url, wait_ms=WAIT_MS)
        self._stack.callback(client.close)
        return client

    def _posts(self) -> Collection[StoredPost]:
        return self._mongodb()[self._settings.mongodb_database][COLLECTION]


@contextmanager
def _tools(patience: float) -> Iterator[Tools]:
    with ExitStack() as stack:
        yield Tools(load_settings(ToolSettings), patience, stack)


def main(name: str, arguments: Sequence[str]) -> int:
    """Run one tool; returns its exit code."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--patience", type=float, default=15.0, help="seconds to wait for the projector")
    if name == "feed-redrive":
        parser.add_argument("--dry-run", action="store_true", help="list them, send nothing")
    if name == "feed-costs":
        parser.add_argument("sizes", type=int, nargs="*", help="numbers of posts")
    if name == "topic-grow":
        parser.add_argument("partitions", type=int, help="the number of partitions to have")
    options = parser.parse_args(arguments)
    configure_logging(load_settings(LogSettings), name)
    telemetry.start(name)
    run: Callable[[Tools, argparse.Namespace], Answer] = {
        "feed-verify": Tools.verify,
        "feed-rebuild": Tools.rebuild,
        "feed-redrive": Tools.redrive,
        "feed-costs": Tools.costs,
        "topic-grow": Tools.grow,
    }[name]
    # From here on SIGTERM ends a tool in order; the earlier handler was for the time of the imports.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with _tools(options.patience) as tools:
            code, answer = run(tools, options)
    except KeyboardInterrupt:
        log.error("interrupted")
        return 128 + signal.SIGINT
    except RecordsGone as error:
        log.error("Kafka deleted records while they were read: %s. Run it again.", error)
        return 2
    except (KafkaError, PyMongoError, RedisError) as error:
        unit = {"kafka": "kafka", "pymongo": "mongodb", "redis": "redis"}[
            type(error).__module__.split(".")[0]
        ]
        what = "refuses" if isinstance(error, ResponseError) else "does not answer"
        log.error("%s %s: %s: %s", unit, what, type(error).__name__, error)
        return 2
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    return code
