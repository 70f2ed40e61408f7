"""Step 6: the fault that is hidden from the learner, or one that the check starts."""

import json
import time
from random import Random

import pytest
from grading.learner_process import beside
from grading.outcome import NotGradable, require, wrong
from grading.plugin import check
from grading.stack import ENDPOINTS, backend, home
from grading.system import heal

from civildiy.operations.diagnosis import MEAN, READS, WRITES
from lab.course.exercise import Exercise
from lab.deadlines import slow
from lab.errors import LabError
from lab.faults import break_, hidden
from lab.slo.metrics import Metrics

MODULE = "civildiy.operations.diagnosis"
PROGRAM = """
import json, sys
from civildiy.operations.diagnosis import diagnose
from lab.slo.metrics import Metrics

say(json.dumps(diagnose(Metrics(sys.argv[1], sys.argv[2:]).number)))
"""
LASTS, EVIDENCE, AGAIN = 150.0, 40.0, 5.0
"""Seconds: how long the check's own fault lasts, until the metrics show it, and between two questions."""
ASKED = 4
CALM, FAST = 45.0, 0.02
"""Seconds: until the metrics forget an earlier fault, and the mean request of a system that is not busy."""
WORKERS = ("posts-relay", "feed-projector")
BY_HAND = (
    "If you search by yourself: ./lab break hidden, look at the traces, metrics and logs, write the unit and"
    " the kind into `diagnose`, and check again."
)


@check(points=4)
@pytest.mark.disturbs
@pytest.mark.with_fault
def test_fault_is_found(lab: Exercise, rng: Random) -> None:
    """The hidden fault is found: its unit, and its kind"""
    there = hidden.current(home)
    if there and (there.active or there.is_named_by(*_answer(lab))):
        _judge_by_hand(lab, there)
        return
    heal()
    deadline = time.monotonic() + CALM
    for unknown in ("", *WORKERS):
        _judge_without_fault(lab, unknown, deadline)
    try:
        started = hidden.start(home, backend, LASTS * slow(), rng)
    except LabError as error:
        raise NotGradable(str(error)) from error
    try:
        time.sleep(EVIDENCE)
        answer = _answer(lab)
        for _ in range(ASKED):
            if started.is_named_by(*answer):
                break
            time.sleep(AGAIN)
            answer = _answer(lab)
        right = started.is_named_by(*answer)
    finally:
        named = break_.heal_all(home, backend)
        hidden.forget(home)
        heal()
    truth = ", ".join(f"{entry.fault} of {entry.unit}" for entry in named)
    require(
        right,
        f"broke something, because no hidden fault was active, and called diagnose() after {EVIDENCE:g} s",
        expected="the unit and the kind of that fault",
        saw=f"{_named(answer)}; the fault was: {truth}",
        means=f"{_nearly(started, answer)} {BY_HAND}",
    )


def _judge_by_hand(lab: Exercise, there: hidden.Hidden) -> None:
    """Compare the answer with the hidden fault, and heal the system if it is right."""
    answer = _answer(lab)
    if not there.is_named_by(*answer):
        wrong(
            "compared what diagnose() returns with the fault that ./lab break hidden has started",
            expected="its unit and its kind",
            saw=_named(answer),
            means=f"{_nearly(there, answer)} The fault is still active: look on, or end it with ./lab heal.",
        )
    break_.heal_all(home, backend)
    hidden.ended(home)
    heal()


def _judge_without_fault(lab: Exercise, unknown: str, deadline: float) -> None:
    """Let diagnose() look at a system without a fault; the collector does not know the unit `unknown`.

    Until `deadline` another answer may come from an earlier fault, or from requests of a busy moment.
    """
    among: tuple[str, ...] = ()
    what = "a collector that knows every unit"
    means = (
        "Nothing is broken at this moment: each unit answers, and a mean duration below SLOW_SECONDS is not"
        f" slow. {BY_HAND}"
    )
    if unknown:
        among = ('{__name__!="up"}', f'{{job!="{unknown}"}}')
        what = f"a collector that does not know {unknown}: its `up` has no result"
        means = (
            "The collector does not know a unit that has just started, for example. `ask` returns None then,"
            " which proves nothing. Only 0 means that the unit does not answer: `ask(…) == 0`."
        )
    while any(answer := _answer(lab, *among)) and time.monotonic() < deadline:
        time.sleep(AGAIN)
    require(
        not any(answer) or (answer[1] == "slow" and _busy()),
        f"called diagnose() with {what}, before anything was broken",
        expected="no fault, as the two empty texts",
        saw=_named(answer),
        means=means,
    )


def _busy() -> bool:
    """Return whether somebody sends requests that are slow without a fault: then a store may be named."""
    metrics = Metrics(ENDPOINTS["metrics"])
    return any((metrics.number(MEAN.replace("{who}", who)) or 0) > FAST for who in (READS, WRITES))


def _answer(lab: Exercise, *among: str) -> tuple[str, str]:
    with beside(lab, "feed", PROGRAM, ENDPOINTS["metrics"], *among, only=(MODULE,)) as module:
        found = json.loads(module.hear("diagnose() to return", within=30))
    if not (isinstance(found, list) and len(found) == 2 and all(isinstance(each, str) for each in found)):
        wrong(
            "called diagnose()",
            expected='two texts, such as ("redis", "pause")',
            saw=found,
            means="`diagnose` returns the unit and the kind of the fault, in this order.",
        )
    return found[0], found[1]


def _named(answer: tuple[str, str]) -> str:
    return f"{answer[1]} of {answer[0]}" if any(answer) else "no fault"


def _nearly(there: hidden.Hidden, answer: tuple[str, str]) -> str:
    if not any(answer):
        return "Something is broken, and the metrics of the last half minute show it."
    if any(there.is_named_by(answer[0], kind) for kind, _ in hidden.CASES):
        return (
            "The unit is right, and the kind is not. A paused unit answers nothing; a slow one answers late."
        )
    if there.is_named_by(answer[1], answer[0]):
        return "The unit comes first, then the kind."
    return (
        "The unit is another one. The unit that shows the problem is often the caller of the one that has it:"
        " follow the chain from what users see to its last unit."
    )
