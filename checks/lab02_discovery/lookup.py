"""Lookup returns the instances whose checks pass now."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from grading.learner_process import Beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.recording_proxy import RecordingProxy

from lab.course.exercise import Exercise
from lab02_discovery.catalog import HOST
from lab02_discovery.probe import probe, put, turned

LOOKUP = """
reg = registry()
for line in sys.stdin:
    try:
        say(listed(reg.healthy(line.strip())))
    except Exception as error:
        say(f"{type(error).__name__} raised")
"""
BESIDE = "your registry beside the system"


@check(points=2)
def test_lookup(lab: Exercise, rng: Random) -> None:
    """Lookup returns the instances that pass now, with their addresses, in order of their ids"""
    with two_instances(lab, rng, LOOKUP) as (name, module, proxy):
        _healthy(name, module, [1], "one instance passes and one is critical", CRITICAL)
        turned(name, 2, "passing")
        both = listed(name, [1, 2])
        module.tell(name)
        said = module.hear("healthy() to return")
        did = f"{BESIDE}: healthy() when the second instance, at the same address, has turned passing"
        means = REMEMBERED if said == listed(name, [1]) else INCOMPLETE
        require(said == both, did, expected=both, saw=said, means=means)
        turned(name, 1, "warning")
        _healthy(name, module, [2], "the first instance has turned warning", WARNING)
        turned(name, 1, "critical")
        _healthy(name, module, [2], "the first instance has turned critical", REMEMBERED)
        put(name, 2, "passing", port=10)
        _healthy(name, module, [2], "the second instance has moved to port 10", REMEMBERED, port=10)
        check_too = {
            "Name": "another",
            "ID": f"{name}-2-too",
            "ServiceID": f"{name}-2",
            "TTL": "10m",
            "Status": "critical",
        }
        consul("PUT", "/v1/agent/check/register", json=check_too)
        _healthy(
            name, module, [], "the second instance has two checks, one passing and one critical", ALL_CHECKS
        )
        proxy.closed = True
        module.tell(name)
        said = module.hear("healthy() to return")
        require(
            said.endswith("raised"),
            f"{BESIDE}: healthy() while Consul does not answer",
            expected="an exception, such as the one that py-consul raises",
            saw=said,
            means="`healthy` hides the error. Its caller cannot tell that nobody knows from a service"
            " that has no"
            " healthy instances, and takes all of them out of use.",
        )


CRITICAL = "`healthy` must ask for passing instances only: requests to a critical one get no answer."
REMEMBERED = (
    "`healthy` answered with what was true at an earlier call. It must query Consul at each call: an"
    " instance that has"
    " died or moved since is no use to its caller."
)
WARNING = (
    "A check has three states: passing, warning and critical. `healthy` must return the instances"
    " that pass, not"
    " all that are not critical: ask with `passing=True`. If the answer is that of an earlier call,"
    " query Consul"
    " at each call."
)
INCOMPLETE = (
    "`healthy` must return every passing instance, in order of the ids. Two instances may have the"
    " same address"
    " and differ in their ids and ports."
)
NOBODY = (
    "No instance is healthy now, so the list must be empty. `healthy` also returned one whose only check is"
    " critical: with no healthy instance it must not fall back to the others, because they do not answer."
)
ALL_CHECKS = "An instance is healthy when all of its checks pass, not when one of them does."


def _healthy(name: str, module: Beside, numbers: list[int], what: str, means: str, port: int = 9) -> None:
    module.tell(name)
    said = module.hear("healthy() to return")
    wanted = listed(name, numbers, port)
    if not numbers and f"{name}-1 " in said:
        means = NOBODY
    require(said == wanted, f"{BESIDE}: healthy() when {what}", expected=wanted, saw=said, means=means)


def listed(name: str, numbers: list[int], port: int = 9) -> str:
    return json.dumps([f"{name}-{number} at {HOST}:{port}" for number in numbers])


@contextmanager
def two_instances(lab: Exercise, rng: Random, program: str) -> Iterator[tuple[str, Beside, RecordingProxy]]:
    """The program beside the system; one instance of its service is passing, the other one critical."""
    with probe(lab, rng, program) as (name, module, proxy):
        for number, status in ((1, "passing"), (2, "critical")):
            put(name, number, status)
        yield name, module, proxy
