"""watch() where a simple version goes wrong: an empty list, an error, lists that were yielded before."""

import json
import time
from random import Random

from grading.learner_process import Beside
from grading.outcome import require
from grading.plugin import check
from grading.system import eventually

from lab.course.exercise import Exercise
from lab.deadlines import slow
from lab02_discovery.catalog import HOST
from lab02_discovery.probe import probe, put, turned

WAIT = "7s"
WATCH = f"""
sys.stdin.readline()
before = []
try:
    for found in registry().watch(name, wait="{WAIT}"):
        say(listed(found))
        before.append((found, listed(found)))
        sys.stdin.readline()
        if any(listed(kept) != as_it_was for kept, as_it_was in before[:-1]):
            say("an earlier list has changed")
except Exception as error:
    say("raised")
"""
BESIDE = "your registry beside the system"
EMPTY = (
    "`watch` must yield its first list at once, also when it is empty. Otherwise its caller cannot tell that"
    " no instance is healthy, and waits, or goes on with what it had."
)
HIDDEN = (
    "`watch` hides the error of Consul. Its caller must learn that the list is no longer kept up to date; the"
    " page says that errors pass to the caller."
)


@check(points=2)
def test_watch_at_the_edges(lab: Exercise, rng: Random) -> None:
    """Watch yields an empty first list, keeps to its `wait`, changes no earlier list, and passes errors on"""
    with probe(lab, rng, WATCH) as (name, module, proxy):
        module.tell("begin")
        _hears(
            module,
            "the first list of watch()",
            [],
            f"{BESIDE}: watch() of a service without instances",
            EMPTY,
        )
        module.tell("next")
        put(name, 1, "passing")
        did = f"{BESIDE}: watch() after the first instance was registered"
        _hears(module, "the second list of watch()", [f"{name}-1 at {HOST}:9"], did, EMPTY)
        module.tell("next")
        turned(name, 1, "critical")
        did = f"{BESIDE}: watch() after the only instance turned critical"
        means = "A list that has become empty is a change like any other."
        _hears(module, "the third list of watch()", [], did, means)
        asked = [each.path for each in proxy.asked if "index=" in each.path]
        require(
            asked and all(f"wait={WAIT}" in path for path in asked),
            f'{BESIDE}: watch(service, wait="{WAIT}"), and looked at its requests with an index',
            expected=f"wait={WAIT} in each of them",
            saw=asked[-1] if asked else "no request with an index",
            means="`watch` must pass its argument `wait` on to Consul: it limits how long a"
            " connection stays idle.",
        )
        asked_before = len(proxy.asked)
        module.tell("next")
        eventually(lambda: len(proxy.asked) > asked_before, within=3, what="watch() to ask Consul again")
        proxy.closed = True
        turned(name, 1, "passing")  # answers the question that Consul holds back; the next one gets no answer
        _raises(module, name)


def _hears(module: Beside, what: str, wanted: list[str], did: str, means: str) -> None:
    said = module.hear(what, 6, means)
    if said == "an earlier list has changed":
        means = (
            "`watch` changes a list that it has yielded before. Its caller may still use that list,"
            " or compare the"
            " next one with it. Yield a new list each time."
        )
    require(said == json.dumps(wanted), did, expected=json.dumps(wanted), saw=said, means=means)


def _raises(module: Beside, name: str) -> None:
    deadline = time.monotonic() + 4 * slow()
    said = ""
    while said != "raised" and time.monotonic() < deadline:
        module.tell("next")
        said = module.hear("watch() to raise after Consul stopped answering", 4, HIDDEN)
    require(
        said == "raised",
        f"{BESIDE}: watch() while Consul does not answer",
        expected="an exception, such as the one that py-consul raises",
        saw=said,
        means=HIDDEN,
    )
