"""Check Redis, and the two workers that bring events to it. Neither worker has a port that could be asked."""

from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient
from redis import Redis

from civildiy.feed import keys
from civildiy.posts.relay.shards import purpose, read_layout
from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.finding import SECONDS, Finding, Findings
from lab.text import shortened

REDIS, WORKERS = "Redis", "workers"
CONFIGURED = {"maxmemory": str(36 * 2**20), "appendonly": "yes"}
"""Options of docker-compose.yml that a client can change in the running server."""
RESTART = "./lab restart redis"


def look_at_redis(backend: Backend) -> Findings:
    """Yield whether Redis accepts writes, with the options it was started with. Raises RedisError."""
    with _client(backend) as redis:
        found = [*judge_redis(redis.info(), redis.config_get(*CONFIGURED))]
    yield from found or [Finding(REDIS, "accepts writes")]


def judge_redis(info: Mapping[str, Any], options: Mapping[str, str]) -> Findings:
    """Yield what keeps Redis from doing its work. `info`: what the command INFO returns."""
    if info.get("role") != "master":
        seen = (
            f"Redis copies {shortened(info.get('master_host', 'another server'))}, so nothing can be written"
        )
        yield Finding(REDIS, seen, RESTART)
    for option, expected in CONFIGURED.items():
        if (value := options.get(option, "")) != expected:
            seen = f"{option} is {shortened(value)} instead of {expected}"
            yield Finding(REDIS, seen, RESTART)
    most = int(info.get("maxmemory") or 0)
    if most and int(info.get("used_memory", 0)) >= most:
        seen = f"it is full: it uses all of its {most / 2**20:.0f} MiB, so it refuses writes"
        remedy = "delete what does not belong to the feed, or ./lab reset (this deletes all data)"
        yield Finding(REDIS, seen, remedy)
    if info.get("aof_last_write_status", "ok") != "ok":
        seen = "it cannot write its log, so it refuses writes"
        yield Finding(REDIS, seen, f"./lab heal; free space on the disk, then: {RESTART}")


def look_at_workers(backend: Backend) -> Findings:
    """Yield whether each worker that runs also works. Raises RedisError and PyMongoError."""
    running = {unit.name for unit in backend.units() if unit.state in ("running", "not seen")}
    found = []
    if "feed-projector" in running:
        with _client(backend) as redis:
            if not redis.exists(keys.PROJECTOR):
                found.append(_hangs("feed-projector", "its heartbeat in Redis has expired"))
    if "posts-relay" in running and not _relays_have_all_leases(backend):
        found.append(_hangs("posts-relay", "its lease in MongoDB has expired"))
    yield from found or [Finding(WORKERS, "each renews its heartbeat or its lease")]


def _hangs(worker: str, why: str) -> Finding:
    logs = f"./lab restart {worker}; if that does not help: ./lab logs {worker}"
    return Finding(WORKERS, f"{worker} does not work: {why}", logs)


def _relays_have_all_leases(backend: Backend) -> bool:
    host, _, port = backend.endpoints()["mongodb"].rpartition(":")
    patience = int(1000 * SECONDS * slow())
    client: MongoClient[dict[str, Any]] = MongoClient(
        host, int(port), directConnection=True, serverSelectionTimeoutMS=patience, timeoutMS=patience
    )
    with client:  # MongoDB's clock decides, as it does for the relays
        leases = client["posts"]["leases"]
        layout = read_layout(leases)
        wanted = [purpose(shard) for shard in range(layout.shards or 1)]
        valid = {"_id": {"$in": wanted}, "$expr": {"$gt": ["$until", "$$NOW"]}}
        # While the topic gets more partitions, no relay may have a lease.
        return layout.growing or leases.count_documents(valid) == len(wanted)


def _client(backend: Backend) -> Redis:
    host, _, port = backend.endpoints()["redis"].rpartition(":")
    patience = SECONDS * slow()
    return Redis(
        host=host, port=int(port), socket_timeout=patience, socket_connect_timeout=patience,
        decode_responses=True,
    )  # fmt: skip
