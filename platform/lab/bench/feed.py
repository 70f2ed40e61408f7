"""Fill the feed, and measure the time from a POST until the post is in the feed."""

import secrets
import statistics
import time
from dataclasses import dataclass
from typing import Any

import httpx
from redis import Redis

from civildiy.feed import keys
from lab.bench.side import Side
from lab.errors import LabError
from lab.probes import local_http
from lab.progress import Progress

FEED_POSTS = 1000
LONGEST_SECONDS = 10.0


@dataclass(frozen=True)
class Delays:
    """Milliseconds from the start of a POST until the feed holds the post."""

    p50: float
    p99: float


def person(http: httpx.Client) -> str:
    """Register a user, send the token with each later request of `http`, and return the token."""
    name = f"bench{secrets.token_hex(5)}"
    new = {"email": f"{name}@example.org", "username": name, "password": secrets.token_hex(8)}
    http.post("/api/auth/register", json=new).raise_for_status()
    login = {"email": new["email"], "password": new["password"]}
    token: str = http.post("/api/auth/login", json=login).raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"
    return token


def write(http: httpx.Client, title: str = "A post") -> str:
    """Write a post and return its id."""
    answer: dict[str, Any] = (
        http.post("/api/posts", json={"title": title, "content": "x" * 200}).raise_for_status().json()
    )
    return str(answer["id"])


def fill(http: httpx.Client, redis: Redis, progress: Progress) -> None:
    """Write posts until the feed is full. Raises LabError when they do not arrive."""
    deadline = time.monotonic() + 120
    while (there := int(redis.llen(keys.GLOBAL))) < FEED_POSTS or lag(http):
        if time.monotonic() > deadline:
            raise LabError(
                f"The feed held {there} of {FEED_POSTS} posts after 120 s."
                " Find the cause: ./lab logs feed-projector"
            )
        progress.say("bench", f"filling the feed: {there} of {FEED_POSTS}")
        for _ in range(min(50, FEED_POSTS - there)):
            write(http)


def lag(http: httpx.Client) -> int:
    """Return the number of events that the projector has not applied to the view yet."""
    return int(http.get("/api/activity-stream/stats").json()["lag_events"] or 0)


def delays(http: httpx.Client, redis: Redis, feed: str, writes: int) -> Delays:
    """Write posts one after the other, and wait for each until it is in the list `feed`."""
    measured = []
    for number in range(writes):
        began = time.perf_counter()
        post_id = write(http, f"{number}").encode()
        while not any(post_id in item for item in redis.lrange(feed, 0, 2)):
            if time.perf_counter() - began > LONGEST_SECONDS:
                raise LabError("A post was not in the feed after 10 s. Find the cause: ./lab status")
        measured.append((time.perf_counter() - began) * 1000)
    return Delays(statistics.median(measured), statistics.quantiles(measured, n=100)[98])


def write_many(side: Side) -> None:
    """Write as many posts as a full feed has, for a system that begins empty. Raises LabError."""
    with local_http.client(base_url=side.url, timeout=10) as http:
        http.headers["Authorization"] = f"Bearer {side.token}"
        for _ in range(FEED_POSTS):
            write(http)


def some_post(side: Side) -> str:
    """Write one post as the side's user, and return its id."""
    with local_http.client(base_url=side.url, timeout=10) as http:
        http.headers["Authorization"] = f"Bearer {side.token}"
        return write(http)
