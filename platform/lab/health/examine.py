"""All subjects at once, each within a limit."""

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from lab.backends.protocol import Backend
from lab.errors import LabError, NotFromHere
from lab.health import catalog, clocks, databases, machine, rules, topics
from lab.health.finding import Finding, Findings
from lab.home import Home
from lab.probes.unavailable import AWAY
from lab.text import shortened

PAUSE_SECONDS = 1.5
"""A change is on its way for a moment: only what a second look still sees is reported."""
UNREACHED = (*AWAY, OSError, ValueError, KeyError, TypeError, AttributeError, socket.timeout)

Look = Callable[[], Findings]


def examine(home: Home, backend: Backend, without: tuple[str, ...] = ()) -> list[Finding]:
    """Everything that was looked at in the running system, in a fixed order; without some subjects."""
    subjects: dict[str, Look] = {
        "units": lambda: machine.look_at_units(backend),
        "disk": lambda: machine.look_at_disk(home),
        "Consul": lambda: catalog.look(backend),
        "gateway rules": lambda: rules.look(backend),
        "Kafka": lambda: topics.look(backend),
        "MongoDB": lambda: databases.look_at_mongodb(backend),
        "PostgreSQL": lambda: databases.look_at_postgresql(backend),
        "clock": lambda: clocks.look(backend),
    }
    for subject in without:
        del subjects[subject]
    found = _all(subjects)
    doubtful = [subject for subject, findings in found.items() if any(one.remedy for one in findings)]
    if doubtful:
        time.sleep(PAUSE_SECONDS)
        found |= _all({subject: subjects[subject] for subject in doubtful})
    return [finding for subject in subjects for finding in found[subject]]


def problems(home: Home, backend: Backend) -> list[Finding]:
    """Only what is wrong; [] while the system is down, for then nothing was told to run."""
    return [found for found in examine(home, backend) if found.remedy] if backend.running() else []


def _all(subjects: dict[str, Look]) -> dict[str, list[Finding]]:
    with ThreadPoolExecutor(len(subjects)) as threads:
        asked = {subject: threads.submit(_guarded, subject, look) for subject, look in subjects.items()}
        return {subject: answer.result() for subject, answer in asked.items()}


def _guarded(subject: str, look: Look) -> list[Finding]:
    try:
        return [*look()]
    except NotFromHere:
        return []
    except LabError as error:
        return [Finding(subject, "cannot be checked", shortened(error, 200))]
    except UNREACHED as error:
        why = shortened(f"{type(error).__name__}: {error}", 160)
        return [Finding(subject, f"cannot be checked ({why})", "./lab up; then, if it stays: ./lab status")]


def lines(findings: Iterable[Finding]) -> list[str]:
    """Each problem as a sentence with what to do, for a person."""
    return [f"{found.what}: {found.seen}. Do: {found.remedy}" for found in findings if found.remedy]
