"""Compare the clock of each server and service with this machine's clock."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime

import httpx
import psycopg
from psycopg.conninfo import make_conninfo
from pymongo import MongoClient
from redis import Redis

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.finding import SECONDS, Finding, Findings
from lab.home import REPO
from lab.probes import local_http
from lab.probes.unavailable import UNAVAILABLE
from lab.topology import SERVICES, health

WHAT = "clock"
MOST_SECONDS = 2.0
SET_CLOCK = "set the clock of this machine (Linux: timedatectl set-ntp true)"


def look(backend: Backend) -> Findings:
    """Yield the clocks that differ by more than MOST_SECONDS, which makes tokens and certificates fail."""
    yield from judge(_offsets(backend), time.time(), (REPO / "pyproject.toml").stat().st_mtime)


def judge(offsets: Mapping[str, float], now: float, known: float) -> Findings:
    """Yield findings. `offsets`: seconds that each unit is ahead; `known`: a past time in Unix seconds."""
    if now < known - MOST_SECONDS:
        seen = (
            f"this machine's clock ({_written(now)}) is earlier than the files of the course"
            f" ({_written(known)})"
        )
        yield Finding(WHAT, seen, SET_CLOCK)
    wrong = {unit: seconds for unit, seconds in offsets.items() if abs(seconds) > MOST_SECONDS}
    if wrong and len(wrong) == len(offsets) > 1:
        seconds = sorted(wrong.values())[len(wrong) // 2]
        yield Finding(WHAT, f"all units are {_described(seconds)} this machine's clock", SET_CLOCK)
        return
    for unit, seconds in wrong.items():
        yield Finding(
            WHAT, f"{unit} is {_described(seconds)} this machine's clock", f"./lab heal; ./lab restart {unit}"
        )
    if not wrong:
        yield Finding(WHAT, f"{len(offsets)} units agree with this machine's clock")


def _described(seconds: float) -> str:
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"


def _written(moment: float) -> str:
    return time.strftime("%F %T", time.localtime(moment))


def _offsets(backend: Backend) -> dict[str, float]:
    """Return the seconds that the clock of each unit is ahead. Units that do not answer are left out."""
    addresses = backend.endpoints()
    questions: dict[str, Callable[[], tuple[float, float]]] = {
        "mongodb": lambda: _mongodb(addresses["mongodb"]),
        "redis": lambda: _redis(addresses["redis"]),
        "postgresql": lambda: _postgresql(addresses["postgresql"], backend.variables()),
    }
    for unit in (*SERVICES, "consul"):
        url = addresses[unit] + health()[unit]
        questions[unit] = lambda url=url: _http(url)  # type: ignore[misc]
    offsets = {}
    for unit, ask in questions.items():
        with suppress(*UNAVAILABLE, OSError, ValueError, KeyError):
            before = time.time()
            theirs, precision = ask()
            middle = (before + time.time()) / 2
            offsets[unit] = theirs - middle + precision
    return offsets


Clock = tuple[float, float]
"""The unit's time in Unix seconds, and half of its precision in seconds (HTTP's Date has whole seconds)."""


def _http(url: str) -> Clock:
    answer = local_http.get(url, timeout=SECONDS * slow())
    if "date" not in answer.headers:
        raise httpx.DecodingError("no header Date")
    return parsedate_to_datetime(answer.headers["date"]).timestamp(), 0.5


def _mongodb(address: str) -> Clock:
    host, _, port = address.rpartition(":")
    patience = int(1000 * SECONDS * slow())
    client: MongoClient[dict[str, object]] = MongoClient(
        host, int(port), directConnection=True, serverSelectionTimeoutMS=patience, timeoutMS=patience,
        tz_aware=True,
    )  # fmt: skip
    with client:
        return client.admin.command("hello")["localTime"].timestamp(), 0.0


def _redis(address: str) -> Clock:
    host, _, port = address.rpartition(":")
    patience = SECONDS * slow()
    with Redis(host=host, port=int(port), socket_timeout=patience, socket_connect_timeout=patience) as redis:
        seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6, 0.0


def _postgresql(address: str, variables: Mapping[str, str]) -> Clock:
    host, _, port = address.rpartition(":")
    info = make_conninfo(
        host=host, port=port, user="postgres", dbname="postgres",
        connect_timeout=max(2, round(SECONDS * slow())),
        password=variables["POSTGRES_SUPERUSER_PASSWORD"],
    )  # fmt: skip
    with psycopg.connect(info) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    assert row is not None
    return float(row[0]), 0.0
