"""The state of the system under Compose, seen from this machine, and the results of its own tests."""

import sys
import time
import xml.etree.ElementTree as Xml
from pathlib import Path

import httpx
from compose.stack import OWN, Stack
from support import eventually

from lab.probes import local_http
from lab.topology import PATHS

SUITE_SECONDS = 1100.0
"""The longest that one suite may take. All checks of the labs take eight minutes on two busy cores."""
GATEWAY = f"http://127.0.0.1:{OWN['LAB_PORT_HTTP']}"


def routed() -> dict[str, int]:
    """Return the gateway's answer for each service."""
    with local_http.client(base_url=GATEWAY, timeout=10) as http:
        return {name: http.get(f"/api/{path}/health").status_code for name, path in PATHS.items()}


def answers(service: str) -> bool:
    """Return whether the gateway gets an answer from the service within a second."""
    try:
        url = f"{GATEWAY}/api/{PATHS[service]}/health"
        return local_http.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def healthy() -> bool:
    """Return whether everything, the path of an event included, works."""
    with local_http.client(base_url=GATEWAY, timeout=5) as http:
        stats = http.get("/api/activity-stream/stats").json()
    return (
        set(routed().values()) == {200}
        # Without Redis, or without feed, the answer is a problem and has neither.
        and stats.get("lag_events") == 0
        and stats.get("consumer_state") == "running"
    )


def suite(on_compose: Stack, name: str, file: Path, *arguments: str) -> list[str]:
    """Run the project's own tests against Compose, and return the names of those that passed."""
    # Against a system that is down each of them would wait for its minute.
    eventually(healthy, within=60, what="a healthy system to try it on")
    began = time.monotonic()
    words = [sys.executable, "-m", "pytest", "-q", "--maxfail=3", f"--junit-xml={file}", *arguments]
    on_compose.run(*words, seconds=SUITE_SECONDS)
    on_compose.seconds[name] = time.monotonic() - began
    cases = Xml.parse(file).findall(".//testcase")
    assert not [case.get("name") for case in cases if case.find("skipped") is not None]
    on_compose.figures.append(f"{len(cases)} tests passed: {name}")
    return [str(case.get("name")) for case in cases]
