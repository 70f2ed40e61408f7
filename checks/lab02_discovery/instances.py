"""Instances that freeze, are killed, leave, and get company."""

import signal
from random import Random

import pytest
from grading import checked_http
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.system import ENDPOINTS, backend, eventually, second_instance

from lab.course.exercise import Exercise
from lab.probes.instances import answered, deregistered_afterwards
from lab02_discovery.catalog import HOST, answering, back, entries, ids, restarted
from lab02_discovery.probe import probe, put


@check(points=2)
@pytest.mark.disturbs
def test_frozen_instance_is_critical() -> None:
    """An instance that does not answer any more is critical within 15 s"""
    back()
    backend.signal("profile", signal.SIGSTOP)
    try:
        eventually(
            lambda: not entries(True) and entries(),
            within=15,
            what="the frozen profile to be critical, not gone",
            means="The check that `register` enters must fail when the instance does not answer: it needs"
            " a short"
            " interval and a timeout, and must not remove the entry at once.",
        )
        url = f"{ENDPOINTS['gateway']}/api/profile/health"
        eventually(
            lambda: checked_http.get(url, timeout=1).status_code == 503,
            within=5,
            what="the gateway to answer 503 at once instead of sending requests to the frozen instance",
        )
    finally:
        backend.signal("profile", signal.SIGCONT)
    back()


@check(points=3)
@pytest.mark.disturbs
def test_no_ghosts_after_five_kills() -> None:
    """After five times kill -9 there is one entry, the same as before"""
    back()
    before = ids()
    for _ in range(5):
        pid = backend.pid_of("profile")
        backend.signal("profile", signal.SIGKILL)
        restarted(pid)
    back()
    after = ids()
    require(
        after == before,
        "killed profile five times and looked into the catalog",
        expected="the one entry that was there before, with the same id",
        saw=f"{len(after)} entries: {', '.join(after)}; before: {', '.join(before)}",
        means="A new id at each start leaves the old entry behind, and requests go there. `register` must"
        " use `instance.id`.",
    )


@check(points=2)
@pytest.mark.disturbs
def test_leaves_on_sigterm() -> None:
    """On SIGTERM the instance is gone from the catalog within 2 s"""
    back()
    backend.signal("profile", signal.SIGTERM)
    try:
        eventually(
            lambda: not ids(),
            within=2,
            what="profile to leave the catalog after SIGTERM",
            means="`deregister` is called first on SIGTERM. As long as the entry stays, the gateway sends"
            " requests to"
            " a port that is about to close.",
        )
    finally:
        eventually(lambda: backend.pid_of("profile"), within=15, what="the supervisor to restart it")
    back()


LEAVE = """
reg = registry()
for line in sys.stdin:
    try:
        reg.deregister(line.strip())
        say("returned")
    except Exception:
        say("raised")
"""


@check(points=2)
def test_only_this_instance_leaves(lab: Exercise, rng: Random) -> None:
    """deregister() removes the instance of this id, and no other one"""
    with probe(lab, rng, LEAVE) as (name, module, proxy):
        for number in (1, 2, 12):
            put(name, number, "passing")
        module.tell(f"{name}-1")
        module.hear("deregister() to return", 15)
        left = sorted(s["ID"] for s in consul("GET", "/v1/agent/services").values() if s["Service"] == name)
        require(
            left == [f"{name}-12", f"{name}-2"],
            f"registered {name}-1, {name}-2 and {name}-12, then called your deregister('{name}-1')",
            expected=f"{name}-2 and {name}-12 still known to the agent, and nothing else",
            saw=", ".join(left) or "no entry",
            means="The entry is still with the agent. What is removed from the catalog only, the agent writes"
            " back at its next synchronisation, and requests go to a closed port. Use"
            " `agent.service.deregister`."
            if f"{name}-1" in left
            else "`deregister` must remove the entry with exactly this id, not those whose ids begin alike or"
            " that have the same address: no requests reach them any more.",
        )
        passing = consul("GET", f"/v1/health/service/{name}?passing=true")
        require(
            len(passing) == 2,
            f"looked for passing instances of {name} afterwards",
            expected=f"{name}-2 and {name}-12",
            saw=f"{len(passing)} passing instances",
            means="`deregister` must not disturb the health of the other instances.",
        )
        module.tell(f"{name}-3")
        said = module.hear("deregister() to return or to raise", 15)
        require(
            said == "returned",
            f"called your deregister('{name}-3'), an id that Consul does not know",
            expected="no exception",
            saw=said,
            means="The entry is gone already, which is what the caller wants. py-consul's `deregister`"
            " returns False then, and raises nothing; with a request of your own, accept Consul's answer"
            " 404.",
        )
        proxy.closed = True
        module.tell(f"{name}-2")
        said = module.hear("deregister() to return or to raise", 15)
        require(
            said == "raised",
            "called your deregister() while Consul does not answer",
            expected="an exception, such as the one that py-consul raises",
            saw=said,
            means="`deregister` hides the error. The chassis logs it: the entry is still in the"
            " catalog, and the"
            " gateway sends requests to a closed port.",
        )


@check(points=2)
@pytest.mark.disturbs
def test_second_instance_gets_traffic() -> None:
    """A second instance is found and gets its share; when it has stopped, nobody is sent to it"""
    back()
    # The learner's `deregister` is judged here, so it may leave an entry.
    with deregistered_afterwards(backend, "profile-2"):
        with second_instance("profile") as second:
            eventually(lambda: len(entries(True)) == 2, within=15, what="two healthy instances of profile")
            hosts = {entry["Service"]["Address"] for entry in entries(True)}
            require(
                hosts == {HOST, backend.host(second)},
                "looked for both instances in the catalog",
                expected=f"{HOST} and {backend.host(second)}",
                saw=", ".join(sorted(hosts)),
                means="Two instances that register one address are one instance.",
            )
            before = eventually(
                lambda: requests_at(second) + 1, within=5, what="the second instance's metrics"
            )
            eventually(
                lambda: all(answering() for _ in range(10)) and requests_at(second) - before >= 5,
                within=8,
                what="the second instance to get a share of the requests",
            )
        sent = [answering() for _ in range(20)]
        require(
            all(sent),
            "stopped the second instance, and asked the gateway twenty times",
            expected="an answer each time",
            saw=f"{sent.count(False)} errors",
            means="An instance that stops must deregister first; else requests go to a closed port.",
        )
    back()


def requests_at(unit: str) -> int:
    """Requests through the gateway that an instance has answered."""
    return answered(backend, unit, "/api/profile/health")
