"""Whom lookup and watch find, and how soon."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from grading.learner_process import Beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.recording_proxy import Asked, RecordingProxy

from lab.course.exercise import Exercise
from lab.probes.readiness import slow
from lab02_discovery.catalog import HOST
from lab02_discovery.probe import QUIET, probe

LOOKUP = """
say("healthy", ids(registry().healthy(name)))
sys.stdin.readline()
"""
WATCH = """
for found in registry().watch(name):
    say("watch", ids(found))
"""
BESIDE = "your registry beside the system, with one passing and one critical instance"


@check(points=1)
def test_lookup(lab: Exercise, rng: Random) -> None:
    """Lookup returns passing instances only"""
    with _two_instances(lab, rng, LOOKUP) as (name, module, _):
        _only_the_passing_one(name, module, "healthy")


@check(points=2)
def test_watch(lab: Exercise, rng: Random) -> None:
    """Watch yields passing instances, and sees a change in less than a second, without polling"""
    with _two_instances(lab, rng, WATCH) as (name, module, proxy):
        _only_the_passing_one(name, module, "watch")
        _waits_for_changes(name, module, proxy)
        _sees_changes(name, module)


@contextmanager
def _two_instances(lab: Exercise, rng: Random, program: str) -> Iterator[tuple[str, Beside, RecordingProxy]]:
    """The program beside the system; one instance of its service is passing, the other one critical."""
    with probe(lab, rng, "sys.stdin.readline()" + program) as (name, module, proxy):
        for number, status in ((1, "passing"), (2, "critical")):
            put(name, number, status)
        module.tell("begin")
        yield name, module, proxy


def _only_the_passing_one(name: str, module: Beside, what: str) -> None:
    said = module.hear(f"the first list of {what}()")
    require(
        said == f'{what} ["{name}-1"]',
        f"{BESIDE}: {what}()",
        expected=f"only {name}-1",
        saw=said,
        means="Who is sent to a critical instance waits for nothing.",
    )


def _waits_for_changes(name: str, module: Beside, proxy: RecordingProxy) -> None:
    time.sleep(0.3)  # the watcher has gone back to wait
    before = len(proxy.asked)
    time.sleep(QUIET)  # what is measured is how much is asked meanwhile
    requests = proxy.asked[before:]
    require(
        len(requests) <= 1,
        f"{BESIDE}: watch() for {QUIET:g} s while nothing changes",
        expected="one question that Consul holds back until there is news",
        saw=f"{len(requests)} questions, such as {_words(requests[-1:])}",
        means="Many who poll are a load, and each of them still hears of a change too late.",
    )


def _words(requests: list[Asked]) -> str:
    return ", ".join(f"{asked.method} {asked.path}" for asked in requests)


def _sees_changes(name: str, module: Beside) -> None:
    for change in ("passing", "critical"):
        time.sleep(0.3)  # the watcher has gone back to wait; a change before that would prove nothing
        began = time.monotonic()
        consul("PUT", f"/v1/agent/check/update/service:{name}-2", json={"Status": change})
        seen = module.hear("watch() to see a change", 12)
        late = time.monotonic() - began
        wanted = [f"{name}-1"] + [f"{name}-2"] * (change == "passing")
        require(
            seen == f"watch {json.dumps(wanted)}" and late < slow(),
            f"{BESIDE}: watch() while one instance turns {change}",
            expected=f"{len(wanted)} instance(s) within 1 s",
            saw=f"{seen} after {late:.1f} s",
            means="A blocking query returns at once; polling waits for its next turn.",
        )


def put(name: str, number: int, status: str) -> None:
    entry = {
        "Name": name,
        "ID": f"{name}-{number}",
        "Address": HOST,
        "Port": 9,
        "Check": {"TTL": "10m", "Status": status},
    }
    consul("PUT", "/v1/agent/service/register", json=entry)
