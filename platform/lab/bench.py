"""Measure the running system with wrk, each figure together with a reference from the same minutes.

All runs of one round follow each other, and the rounds are repeated. Noise on the machine then disturbs
one round instead of one side of a comparison. Ratios are computed inside a round; the medians of all rounds
are shown.
"""

import re
import secrets
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import httpx
from redis import Redis

from civildiy.feed import keys
from lab.errors import LabError
from lab.probes import local_http
from lab.progress import Progress

FEED_POSTS = 1000
WRITES = 200
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """The result of one run of wrk: median and 99th percentile in ms, requests per second."""

    p50: float
    p99: float
    rate: float


def wrk(url: str, connections: int, seconds: int, token: str = "") -> Load:
    """Load `url` over keep-alive connections. Raises LabError when an answer was not 2xx or was missing."""
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    threads = min(connections, 2)
    ran = subprocess.run(
        ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", *header, url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in ran or "Socket errors" in ran:
        raise LabError(f"{url} failed under load. The output of wrk:\n{ran}")

    def percentile(which: str) -> float:
        match = re.search(rf"{which}%\s+([\d.]+)(us|ms|s)\b", ran)
        assert match, ran
        return float(match[1]) * UNITS[match[2]]

    rate = re.search(r"Requests/sec:\s+([\d.]+)", ran)
    assert rate, ran
    return Load(percentile("50"), percentile("99"), float(rate[1]))


def measure(endpoints: dict[str, str], memory: int, rounds: int, progress: Progress) -> dict[str, Any]:
    """Return all figures by name. Raises LabError."""
    if not shutil.which("wrk"):
        raise LabError(
            "The program wrk is not installed. Install it: apt-get install -y --no-install-recommends wrk"
        )
    gateway = endpoints["gateway"]
    host, _, port = endpoints["redis"].partition(":")
    with (
        Redis(host=host, port=int(port)) as redis,
        local_http.client(base_url=gateway, timeout=10) as http,
    ):
        token = _person(http)
        _fill(http, redis, progress)
        stream = f"{gateway}/api/activity-stream"
        urls: dict[str, tuple[str, str]] = {
            "health": (f"{stream}/health", ""),
            "feed": (f"{stream}?limit=20", ""),
            "own feed": (f"{stream}/user?limit=20", token),
            "from MongoDB": (f"{gateway}/api/posts?limit=20", ""),
        }
        one: dict[str, list[Load]] = {name: [] for name in urls}
        many: dict[str, list[Load]] = {"health": [], "feed": []}
        for number in range(rounds):
            for name, (url, bearer) in urls.items():
                progress.say("bench", f"round {number + 1} of {rounds}: {name}, 1 connection")
                one[name].append(wrk(url, 1, 2, bearer))
            for name, loads in many.items():
                progress.say("bench", f"round {number + 1} of {rounds}: {name}, 32 connections")
                loads.append(wrk(urls[name][0], 32, 3))
        progress.say("bench", f"{WRITES} posts until they are in the feed")
        delays = _write_delays(http, redis)
    progress.done("bench", f"{rounds} rounds, {WRITES} writes")
    median = statistics.median

    def ratio(name: str) -> float:
        return median(a.p50 / b.p50 for a, b in zip(one[name], one["health"], strict=True))

    return {
        "health_p50_ms": median(load.p50 for load in one["health"]),
        "feed_p50_ms": median(load.p50 for load in one["feed"]),
        "feed_to_health": ratio("feed"),
        "own_feed_p50_ms": median(load.p50 for load in one["own feed"]),
        "own_feed_to_health": ratio("own feed"),
        "mongodb_p50_ms": median(load.p50 for load in one["from MongoDB"]),
        "mongodb_to_feed": median(
            a.p50 / b.p50 for a, b in zip(one["from MongoDB"], one["feed"], strict=True)
        ),
        "health_32_per_s": median(load.rate for load in many["health"]),
        "feed_32_per_s": median(load.rate for load in many["feed"]),
        "feed_32_to_health": median(
            a.rate / b.rate for a, b in zip(many["feed"], many["health"], strict=True)
        ),
        "write_to_feed_p50_ms": median(delays),
        "write_to_feed_p99_ms": statistics.quantiles(delays, n=100)[98],
        "memory_mb": memory / 1e6,
    }


TARGETS = {
    "feed_to_health": "at most 2", "feed_p50_ms": "at most 1", "own_feed_to_health": "at most 2.5",
    "feed_32_to_health": "at least 0.6", "feed_32_per_s": "at least 3000",
    "write_to_feed_p50_ms": "at most 15", "write_to_feed_p99_ms": "at most 100",
    "memory_mb": "at most 1100",
}  # fmt: skip


def _person(http: httpx.Client) -> str:
    name = f"bench{secrets.token_hex(5)}"
    new = {"email": f"{name}@example.org", "username": name, "password": secrets.token_hex(8)}
    http.post("/api/auth/register", json=new).raise_for_status()
    login = {"email": new["email"], "password": new["password"]}
    token: str = http.post("/api/auth/login", json=login).raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"
    return token


def _fill(http: httpx.Client, redis: Redis, progress: Progress) -> None:
    deadline = time.monotonic() + 120
    while (there := int(redis.llen(keys.GLOBAL))) < FEED_POSTS or int(http_lag(http)):
        if time.monotonic() > deadline:
            raise LabError(
                f"The feed held {there} of {FEED_POSTS} posts after 120 s."
                " Find the cause: ./lab logs feed-projector"
            )
        progress.say("bench", f"filling the feed: {there} of {FEED_POSTS}")
        for _ in range(min(50, FEED_POSTS - there)):
            http.post("/api/posts", json={"title": "A post", "content": "x" * 200}).raise_for_status()


def http_lag(http: httpx.Client) -> int:
    """Return the number of events that the projector has not applied to the view yet."""
    return int(http.get("/api/activity-stream/stats").json()["lag_events"] or 0)


def _write_delays(http: httpx.Client, redis: Redis) -> list[float]:
    """Return the time from the start of a POST until the feed holds the post, in ms, for many posts."""
    delays = []
    for number in range(WRITES):
        began = time.perf_counter()
        answer = http.post("/api/posts", json={"title": f"{number}", "content": "x" * 200})
        post_id = answer.raise_for_status().json()["id"].encode()
        while not any(post_id in item for item in redis.lrange(keys.GLOBAL, 0, 2)):
            if time.perf_counter() - began > 10:
                raise LabError("A post was not in the feed after 10 s. Find the cause: ./lab status")
        delays.append((time.perf_counter() - began) * 1000)
    return delays
