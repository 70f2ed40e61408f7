"""Load an address with the load generator wrk, and read what it measured."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.errors import LabError

UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """The result of one run: median and 99th percentile in ms, requests per second and their number."""

    p50: float
    p99: float
    rate: float
    requests: int


def refuse_missing() -> None:
    """Raise LabError when wrk is not installed."""
    if not shutil.which("wrk"):
        raise LabError(
            "The program wrk is not installed. Install it: apt-get install -y --no-install-recommends wrk"
        )


def wrk(url: str, connections: int, seconds: int, token: str = "", body: str = "") -> Load:
    """Load `url` over keep-alive connections: POST `body` if there is one, else GET.

    Raises LabError when an answer was not 2xx or was missing.
    """
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    threads = min(connections, 2)
    with _script(body) as script:
        ran = subprocess.run(
            ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency",
             *header, *script, url],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    if "Non-2xx" in ran or "Socket errors" in ran:
        raise LabError(f"{url} failed under load. The output of wrk:\n{ran}")
    return parse(ran)


def parse(ran: str) -> Load:
    """Return the figures in wrk's output. Raises LabError for an output without them, or without answers."""
    found = {
        "50": re.search(r"\s50%\s+([\d.]+)(us|ms|s)\b", ran),
        "99": re.search(r"\s99%\s+([\d.]+)(us|ms|s)\b", ran),
        "rate": re.search(r"Requests/sec:\s+([\d.]+)", ran),
        "requests": re.search(r"(\d+) requests in ", ran),
    }
    p50, p99, rate, requests = found.values()
    if p50 is None or p99 is None or rate is None or requests is None:
        raise LabError(f"The output of wrk has no figures; another version of it may be installed:\n{ran}")
    if int(requests[1]) == 0:
        raise LabError(
            "No request was answered in time: the machine is too busy to measure. Repeat the command when"
            " other programs have ended."
        )
    return Load(
        float(p50[1]) * UNITS[p50[2]], float(p99[1]) * UNITS[p99[2]], float(rate[1]), int(requests[1])
    )


@contextmanager
def _script(body: str) -> Iterator[list[str]]:
    """Yield the arguments that make wrk send `body`: wrk reads them from a program in Lua."""
    if not body:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as file:
        file.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n')
        file.write(f"wrk.body = [==[{body}]==]\n")
        file.flush()
        yield ["-s", file.name]
