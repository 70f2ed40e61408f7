"""A registered instance stays registered, whatever Consul forgets."""

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
from lab02_discovery.probe import QUIET, probe, put
from lab02_discovery.registration import registration

EVERY = 0.5
SELDOM = 20
KEEP = f"""
seen = dict(looks=0, errors=0, last="")
bad_look = threading.Event()
def looked():
    if bad_look.is_set():
        bad_look.clear()
        raise ValueError("the rules cannot be published")
    seen["looks"] += 1
def failed(error):
    seen["errors"] += 1
    seen["last"] = type(error).__name__
def keep(left, every):
    stay_registered(
        registry(), instance(1), left, every=every, on_look=looked, on_missing=lambda: None, on_error=failed,
    )
def begun(every):
    left = threading.Event()
    keeper = threading.Thread(target=keep, args=(left, every), daemon=True)
    keeper.start()
    return left, keeper
left, keeper = begun({EVERY})
def known(*instances):
    try:
        return [registry().knows(i) for i in instances]
    except Exception as error:
        return type(error).__name__
for line in sys.stdin:
    match line.strip():
        case "knows":
            others = instance(1, port=10), instance(1, host="127.9.9.9"), instance(2)
            say(json.dumps(known(instance(1), *others)))
        case "leave":
            left.set()
            keeper.join(6)
            say("it goes on" if keeper.is_alive() else "ended")
        case "seldom":
            left, keeper = begun({SELDOM})
            say("begun")
        case "bad look":
            bad_look.set()
            say("done")
        case _:
            say(json.dumps(seen))
"""


@check(points=3)
def test_stays_registered(lab: Exercise, rng: Random) -> None:
    """stay_registered() replaces an old entry, goes on after every error, and ends at once when told to"""
    with probe(lab, rng, KEEP) as (name, module, proxy):
        _begins_without_consul(name, module, proxy)
        _knows_its_entry(name, module)
        _looks_now_and_then(module, proxy)
        _comes_back(name, module, proxy)
        _any_error(module)
        _ends(module)


@check(points=3)
@pytest.mark.disturbs
def test_comes_back_after_consul_lost_everything() -> None:
    """After Consul lost everything the service is registered again within 15 s"""
    back()
    backend.forget("consul")
    try:
        eventually(lambda: consul("GET", "/v1/status/leader"), within=20, what="Consul to be back")
        eventually(
            lambda: len(entries(True)) == 1,
            within=15,
            what="profile to register again with the empty Consul",
            means="Consul does not tell anybody that it lost its catalog. `stay_registered` must ask"
            " `knows` at each"
            " look and register again, also after Consul did not answer for a while.",
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


def _begins_without_consul(name: str, module: Beside, proxy: RecordingProxy) -> None:
    """Consul is unreachable at the start; then it has an entry that another process left behind."""
    proxy.closed = True
    eventually(
        lambda: _seen(module)["errors"],
        within=8,
        what="on_error() while Consul does not answer at the start",
        means="The first registration failed, and `stay_registered` did not report it. The first"
        " registration belongs"
        " into the loop as well: Consul may start after the service.",
    )
    put(name, 1, "passing")  # with a check that asks nobody
    proxy.closed = False
    eventually(
        lambda: registration(proxy, name),
        within=8,
        what="stay_registered() to register although the catalog has an entry with this id and address",
        means="An earlier process left this entry, and its check may be another one. Each process must"
        " register once"
        " at its start; after that it registers only when its entry is missing.",
    )


def _knows_its_entry(name: str, module: Beside) -> None:
    eventually(lambda: _listed(name), within=8, what="stay_registered() beside the system to register")
    module.tell("knows")
    said = module.hear("knows()")
    require(
        said == "[true, false, false, false]",
        "asked your knows() for the instance itself (which is critical), for the same id at another port,"
        " for the same"
        " id at another host, and for another id",
        expected="True, False, False, False",
        saw=said,
        means="`knows` must compare id, address and port. An entry with an old address leads to the wrong"
        " place, and"
        " nothing else repairs it. Its health does not matter here: registering again does not make it"
        " healthy.",
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
        means="The loop has ended although `left` is not set. An error, such as that of a Consul that did not"
        " answer at the start, must go to on_error, and the loop must go on."
        if not more and not requests
        else "`stay_registered` does not call on_look, so the gateway's rules are not kept."
        if not more
        else "`stay_registered` does not pause for `every` seconds between two looks, a load for Consul.",
    )


def _comes_back(name: str, module: Beside, proxy: RecordingProxy) -> None:
    consul("PUT", f"/v1/agent/service/deregister/{name}-1")
    eventually(
        lambda: _listed(name), within=5, what="stay_registered() to register again after Consul forgot it",
        means="The entry is gone, and `stay_registered` does not notice: ask `knows` at each look.",
    )  # fmt: skip
    errors = _seen(module)["errors"]
    proxy.closed = True
    eventually(
        lambda: _seen(module)["errors"] > errors, within=5, what="on_error() while Consul does not answer",
        means="`knows` and `stay_registered` must not hide that Consul does not answer: whatever is"
        " raised goes to"
        " on_error, and the loop goes on.",
    )  # fmt: skip
    consul("PUT", f"/v1/agent/service/deregister/{name}-1")
    proxy.closed = False
    eventually(
        lambda: _listed(name), within=8, what="stay_registered() to register after Consul was unreachable",
        means="The loop ended at an error. Nobody registers this instance again until its process is"
        " restarted.",
    )  # fmt: skip


def _any_error(module: Beside) -> None:
    errors = _seen(module)["errors"]
    module.tell("bad look")
    module.hear("stay_registered() beside the system")
    eventually(
        lambda: _seen(module)["errors"] > errors, within=5, what="on_error() after on_look() raised",
        means=ANY_ERROR,
    )  # fmt: skip
    looks = _seen(module)["looks"]
    eventually(
        lambda: _seen(module)["looks"] > looks, within=5, what="a look after on_look() raised ValueError",
        means=ANY_ERROR,
    )  # fmt: skip


ANY_ERROR = (
    "Errors of other kinds than Consul's ended the loop, or were not reported. Whatever is raised during"
    " a look goes to"
    " on_error, and the loop goes on."
)


def _ends(module: Beside) -> None:
    for every in (EVERY, SELDOM):
        if every == SELDOM:
            _begin_to_pause(module)
        module.tell("leave")
        said = module.hear("stay_registered() to end after `left` was set", 12)
        require(
            said == "ended",
            f"set `left` while stay_registered(every={every}) runs, and waited for 6 s",
            expected="stay_registered() returns",
            saw=said,
            means="A loop that goes on registers the instance again after it has left. Test `left` before"
            " each look, and"
            " pause with `left.wait(every)`, which returns as soon as `left` is set; `time.sleep` does not.",
        )


def _begin_to_pause(module: Beside) -> None:
    looks = _seen(module)["looks"]
    module.tell("seldom")
    module.hear("stay_registered() to begin again")
    eventually(lambda: _seen(module)["looks"] > looks, within=5, what="the first look, before the pause")


def _seen(module: Beside) -> dict[str, int]:
    module.tell("seen")
    found: dict[str, int] = json.loads(module.hear("stay_registered() beside the system", 15))
    return found
