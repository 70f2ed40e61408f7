"""Fill the system with many posts, and measure the tools that read all of them.

The posts are written to MongoDB as the posts service would have left them: published and settled. They are
not on the topic, so a rebuild brings them into the feed.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psutil
from pymongo import MongoClient
from redis import Redis

from civildiy.posts.document import StoredPost, new_post, now
from civildiy.posts.relay.outbox import new_with_event, put_event
from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.errors import LabError
from lab.progress import Progress

USERS, FIRST_USER = 10_000, 1_000_000
BATCH = 2_000
BYTES_OF_A_POST = 3_000
"""What Redis needs for a post in two lists and a hash, twice during a rebuild, with a reserve."""
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
DAYS = 5
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Tool:
    """One run of a tool: its time, the most memory that its process used, and its answer."""

    seconds: float
    processor_seconds: float
    """Of the tool's own process: other programs of the machine hardly change it."""
    peak_mb: float
    answer: dict[str, Any]


def make_room(redis_address: str, count: int) -> None:
    """Raise Redis' limit of memory, so that `count` posts fit into it."""
    host, _, port = redis_address.partition(":")
    with Redis(host=host, port=int(port)) as redis:
        limit = int(redis.config_get("maxmemory")["maxmemory"])
        redis.config_set("maxmemory", max(limit, count * BYTES_OF_A_POST))


def fill(backend: Backend, count: int, progress: Progress) -> None:
    """Write posts of USERS users until there are `count`. The feed does not have them yet."""
    endpoints = backend.endpoints()
    make_room(endpoints["redis"], count)
    with MongoClient[StoredPost](endpoints["mongodb"], directConnection=True, tz_aware=True) as client:
        posts = client["posts"]["posts"]
        there = posts.estimated_document_count()
        for batch in batches(there, count):
            progress.say("bench", f"writing posts to MongoDB: {there:,} of {count:,}")
            posts.insert_many(batch, ordered=False)
            there += len(batch)


def batches(there: int, count: int) -> Iterator[list[StoredPost]]:
    """Yield the posts that are missing, in parts. Their times are in order, and end a day ago.

    `./lab verify` reports a post that is newer than the topic's last record and not on the topic.
    """
    end, step = now() - timedelta(days=1), timedelta(days=DAYS) / max(count, 1)
    for begin in range(there, count, BATCH):
        yield [
            settled(number, end - step * (count - number))
            for number in range(begin, min(begin + BATCH, count))
        ]


def settled(number: int, time: Any) -> StoredPost:
    """Return a post whose event has been published; `number` decides about its author."""
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    post = new_post(FIRST_USER + number % USERS, f"post {number}", "x" * 200, [], None, time)
    document = new_with_event(post, put_event("post.created", post, time, TRACE))
    document["outbox"], document["settled"] = [], True
    return document


def run(backend: Backend, tool: str, progress: Progress) -> Tool:
    """Run one of the feed's tools to its end. Raises LabError when it gives no answer."""
    progress.say("bench", f"running {tool}")
    began, peak, used = time.monotonic(), 0, 0.0
    command = backend.tool_command(tool, f"--patience={PATIENCE_SECONDS * slow():g}")
    with (
        tempfile.TemporaryFile() as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as process,
    ):
        while process.poll() is None:
            memory, spent = _use(process.pid)
            peak, used = max(peak, memory), max(used, spent)
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
        out.seek(0)
        said = out.read()
    try:
        answer = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise LabError(
            f"The tool {tool} gave no answer (exit code {process.returncode})."
            f" See its error: ./lab {tool.removeprefix('feed-')}"
        ) from None
    # In a container the process that is measured here is the engine's client.
    native = backend.kind == "native"
    return Tool(seconds, used if native else 0.0, peak / 1e6 if native else 0.0, answer)


def _use(pid: int) -> tuple[int, float]:
    """Return the resident bytes of a process and its processor seconds so far; zeros when it has ended."""
    # Not from os.wait4: it also counts the memory of this process, of which the tool's process is a copy.
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return int(process.memory_info().rss), sum(process.cpu_times()[:2])
    return 0, 0.0
