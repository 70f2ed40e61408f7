"""Check all subjects at the same time, each within a time limit."""

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from lab.backends.protocol import Backend
from lab.errors import LabError, NotFromHere
from lab.finding import Finding, Findings
from lab.health import answers, catalog, clocks, databases, machine, rules, topics, view
from lab.home import Home
from lab.probes.unavailable import UNAVAILABLE
from lab.text import shortened

PAUSE_SECONDS = 1.5
"""A change needs a moment to arrive, so only what a second check finds again is reported."""
UNREACHED = (*UNAVAILABLE, OSError, ValueError, KeyError, TypeError, AttributeError, socket.timeout)

Look = Callable[[], Findings]


def examine(home: Home, backend: Backend, without: tuple[str, ...] = ()) -> list[Finding]:
    """Return the findings about the running system, in a fixed order, without the named subjects."""
    subjects: dict[str, Look] = {
        "units": lambda: machine.look_at_units(backend),
        "disk": lambda: machine.look_at_disk(home),
        "Consul": lambda: catalog.look(backend),
        "gateway rules": lambda: rules.look(backend),
        "Kafka": lambda: topics.look(backend),
        "MongoDB": lambda: databases.look_at_mongodb(backend),
        "PostgreSQL": lambda: databases.look_at_postgresql(backend),
        "Redis": lambda: view.look_at_redis(backend),
        "workers": lambda: view.look_at_workers(backend),
        "answers": lambda: answers.look(backend),
        "clock": lambda: clocks.look(backend),
    }
    for subject in without:
        del subjects[subject]
    findings = _all(subjects)
    doubtful = [subject for subject in findings if any(finding.remedy for finding in findings[subject])]
    if doubtful:
        time.sleep(PAUSE_SECONDS)
        findings |= _all({subject: subjects[subject] for subject in doubtful})
    return [finding for subject in subjects for finding in findings[subject]]


def problems(home: Home, backend: Backend) -> list[Finding]:
    """Return only what is wrong; [] while the system is down, because then nothing should run."""
    if not backend.running():
        return []
    return [finding for finding in examine(home, backend) if finding.remedy]


def _all(subjects: dict[str, Look]) -> dict[str, list[Finding]]:
    with ThreadPoolExecutor(len(subjects)) as threads:
        futures = {subject: threads.submit(_guarded, subject, look) for subject, look in subjects.items()}
        return {subject: future.result() for subject, future in futures.items()}


def _guarded(subject: str, look: Look) -> list[Finding]:
    try:
        return [*look()]
    except NotFromHere:
        return []
    except LabError as error:
        return [Finding(subject, "cannot be checked", shortened(error, 200))]
    except UNREACHED as error:
        why = shortened(f"{type(error).__name__}: {error}", 160)
        return [
            Finding(subject, f"cannot be checked ({why})", "./lab up; if that does not help: ./lab status")
        ]


def lines(findings: Iterable[Finding]) -> list[str]:
    """Return each problem as a sentence that ends with the command that fixes it."""
    return [f"{f.what}: {f.seen}. Do: {f.remedy}" for f in findings if f.remedy]
