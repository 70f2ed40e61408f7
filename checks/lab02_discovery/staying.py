"""Who is registered stays so, whatever Consul forgets."""

import json
import time
from random import Random

import pytest
from grading.learner_process import Beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.recording_proxy import RecordingProxy
from grading.system import backend, eventually

from lab.course.exercise import Exercise
from lab02_discovery.catalog import answering, back, entries
from lab02_discovery.probe import QUIET, probe

EVERY = 0.5
KEEP = f"""
left = threading.Event()
seen = dict(looks=0, errors=0)
def count(what):
    seen[what] += 1
def keep():
    stay_registered(
        registry(), instance(1), left, every={EVERY}, on_look=lambda: count("looks"),
        on_missing=lambda: None, on_error=lambda error: count("errors"),
    )
keeper = threading.Thread(target=keep, daemon=True)
keeper.start()
for line in sys.stdin:
    if line.strip() == "knows":
        say(json.dumps([registry().knows(i) for i in (instance(1), instance(1, port=10), instance(2))]))
    elif line.strip() == "leave":
        left.set()
        keeper.join(8)
        say("it goes on" if keeper.is_alive() else "ended")
    else:
        say(json.dumps(seen))
"""


@check(points=3)
@pytest.mark.disturbs
def test_comes_back_after_consul_lost_everything(lab: Exercise, rng: Random) -> None:
    """Who is registered keeps looking; after Consul lost everything the service is back within 15 s"""
    with probe(lab, rng, KEEP) as (name, module, proxy):
        _knows_its_entry(name, module)
        _looks_now_and_then(module, proxy)
        _comes_back(name, module, proxy)
        module.tell("leave")
        said = module.hear("stay_registered() to end after `left` was set", 12)
        means = "Who goes on looking registers again behind its own goodbye."
        require(said == "ended", "set `left`", expected="stay_registered() ends", saw=said, means=means)
    back()
    backend.forget("consul")
    try:
        eventually(lambda: consul("GET", "/v1/status/leader"), within=20, what="Consul to be back")
        eventually(
            lambda: len(entries(True)) == 1, within=15, what="profile to register again with the empty Consul"
        )
        rules = "the gateway to have profile's rules again, which on_look() brings"
        eventually(answering, within=15, what=rules)
    finally:
        eventually(everybody_back, within=30, what="all services to be back")


def everybody_back() -> bool:
    names = ("auth", "posts", "feed")
    return all(consul("GET", f"/v1/health/service/{name}?passing=true") for name in names)


def _listed(name: str) -> bool:
    return f"{name}-1" in consul("GET", "/v1/agent/services")


def _knows_its_entry(name: str, module: Beside) -> None:
    # The program begins meanwhile, which takes seconds on a busy machine.
    eventually(lambda: _listed(name), within=15, what="stay_registered() beside the system to register")
    module.tell("knows")
    said = module.hear("knows()")
    require(
        said == "[true, false, false]",
        "asked your knows() for the instance itself, for the same id at another port, and for another id",
        expected="True, False, False",
        saw=said,
        means="An entry with an old address sends everybody to the wrong place, and nobody mends it.",
    )


def _looks_now_and_then(module: Beside, proxy: RecordingProxy) -> None:
    looks, before = _seen(module)["looks"], len(proxy.asked)
    time.sleep(QUIET)  # what is measured is how much is asked meanwhile
    requests, more = len(proxy.asked) - before, _seen(module)["looks"] - looks
    require(
        more and requests <= 3 * QUIET / EVERY,
        f"let stay_registered(every={EVERY}) run for {QUIET:g} s while nothing happens",
        expected=f"about {QUIET / EVERY:g} looks, on_look() after each",
        saw=f"{requests} requests to Consul, on_look() called {more} times",
        means="Who never looks misses the loss; who never pauses is a load for Consul.",
    )


def _comes_back(name: str, module: Beside, proxy: RecordingProxy) -> None:
    consul("PUT", f"/v1/agent/service/deregister/{name}-1")
    eventually(
        lambda: _listed(name), within=5, what="stay_registered() to register again after Consul forgot it"
    )
    errors = _seen(module)["errors"]
    proxy.closed = True
    eventually(
        lambda: _seen(module)["errors"] > errors, within=5, what="on_error() while Consul does not answer"
    )
    consul("PUT", f"/v1/agent/service/deregister/{name}-1")
    proxy.closed = False
    eventually(
        lambda: _listed(name), within=8, what="stay_registered() to register again after Consul was away"
    )


def _seen(module: Beside) -> dict[str, int]:
    module.tell("seen")
    found: dict[str, int] = json.loads(module.hear("stay_registered() beside the system"))
    return found
