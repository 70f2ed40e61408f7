"""Runs verify on a database of its own and prints its findings and the most memory that it used, as JSON.

python verify_memory.py MONGODB DATABASE REDIS KAFKA

REDIS is the URL of a database that holds the view of these posts.
"""

import json
import sys
from pathlib import Path

from redis import Redis

from civildiy.chassis.clients import mongodb
from civildiy.contracts.posts.topic_reader import Topic
from civildiy.operations.check import CheckUp
from civildiy.posts.snapshot import post_states
from civildiy.posts.store import COLLECTION


def peak_mb() -> float:
    """Return the most memory of this process so far. (rusage would count that of the process before exec.)"""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1e3


def main(url: str, database: str, redis_url: str, bootstrap: str) -> None:
    with mongodb.blocking(url) as client, Redis.from_url(redis_url) as redis, Topic(bootstrap) as topic:
        posts = client[database][COLLECTION]
        report = CheckUp(lambda: post_states(posts), [topic], redis, patience=1.0).run()
    found = {"findings": len(report.findings), "posts": report.posts, "entries": report.entries}
    print(json.dumps(found | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
