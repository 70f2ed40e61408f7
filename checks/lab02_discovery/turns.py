"""The turns of stay_registered(), with a registry and a clock of the check's own."""

import json
import re

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

EVERY = 0.25
MANY = 3000
"""Turns that a service makes in about two hours."""
TURNS = """
import json, sys, threading
from civildiy.chassis.discovery.registry import *
EVERY = 0.25
class Fake(Registry):
    def __init__(self, note, known, failing):
        self._note, self._known, self._failing = note, known, failing
    def knows(self, instance):
        self._note("knows")
        return self._known
    def register(self, instance):
        self._note("register")
    def deregister(self, instance_id):
        self._note("deregister")
class Left(threading.Event):
    # A turn ends when `every` seconds have been waited, in one call or in several.
    def __init__(self, note, turns):
        super().__init__()
        self._note, self._turns, self._waited = note, turns, 0.0
    def wait(self, timeout=None):
        self._waited += float("inf") if timeout is None else timeout
        if self._waited >= EVERY * 0.99:
            self._note("wait" if self._waited <= EVERY * 1.01 else f"wait({self._waited:g})")
            self._waited = 0.0
            self._turns -= 1
            if self._turns <= 0:
                self.set()
        return self.is_set()
def run(turns, known=True, failing={}, gone=False):
    calls, left_to_fail = [], dict(failing)
    def note(what):
        calls.append(what)
        if len(calls) > 12 * turns + 100:
            raise SystemExit
        if left_to_fail.get(what, 0) > 0:
            left_to_fail[what] -= 1
            raise ValueError(what)
    left = Left(note, turns)
    if gone:
        left.set()
    instance = Instance("probe", "probe-1", "127.0.0.12", 9)
    def work():
        try:
            stay_registered(
                Fake(note, known, failing), instance, left, every=EVERY,
                on_look=lambda: note("on_look"), on_missing=lambda: note("on_missing"),
                on_error=lambda error: calls.append("on_error"),
            )
            calls.append("returned")
        except BaseException as error:
            calls.append(type(error).__name__)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    return list(calls)
for line in sys.stdin:
    asked = json.loads(line)
    calls = run(**asked)
    if asked["turns"] > 100:
        errors, looks = calls.count("on_error"), calls.count("on_look")
        calls = [f"{errors} errors, {looks} looks", calls[-1]]
    say(json.dumps(calls))
"""
GOOD, FIRST, LOOK = "on_missing register on_look", "on_missing register", "on_look"
CASES: tuple[tuple[str, dict[str, object], list[str], str], ...] = (
    ("three turns while the entry is there", {"turns": 3}, [GOOD, LOOK, LOOK],
     "The first turn must call on_missing, register and on_look, in this order. The later turns must call"
     " on_look only: a registration without need is a write for Consul."),
    ("three turns while the entry is missing each time", {"turns": 3, "known": False}, [GOOD, GOOD, GOOD],
     "When `knows` is False, a turn must call on_missing, then register, then on_look. The chassis logs"
     " the loss in on_missing."),
    ("a first turn in which register() fails", {"turns": 3, "failing": {"register": 1}},
     [f"{FIRST} on_error", GOOD, LOOK],
     "After a failed registration this call has not registered the instance yet, so the next turn must try"
     " again, whatever `knows` says. on_look belongs to turns without an error: it reports success."),
    ("turns in which knows() fails", {"turns": 5, "failing": {"knows": 3}},
     [GOOD, "on_error", "on_error", "on_error", LOOK],
     "An error must go to on_error, once, and the turn must not call on_look: on_look reports that all is"
     " good. The next turn comes after `every` seconds, however many errors there were."),
    ("no turn, because `left` is set from the beginning", {"turns": 2, "gone": True}, [],
     "The process was told to stop while it started. An instance that registers now stays in the"
     " catalog after"
     " its process has ended: test `left` before each turn, also before the first one."),
    ("a first turn in which on_missing() fails", {"turns": 2, "failing": {"on_missing": 1}},
     ["on_missing on_error", GOOD],
     "on_missing comes before register, and an error of it goes to on_error as well. The next turn"
     " tries again."),
)  # fmt: skip


@check(points=2)
def test_each_turn(lab: Exercise) -> None:
    """Each turn of stay_registered() calls what the page lists, in its order, and waits `every` seconds"""
    with beside(lab, "profile", TURNS, only=("civildiy.chassis.discovery.registry",)) as module:
        for case, given, wanted, means in CASES:
            module.tell(json.dumps(given))
            calls: list[str] = json.loads(module.hear(f"stay_registered() to make {case}", 30))
            found = _by_turn(calls)
            require(
                found == wanted,
                f"called stay_registered(every={EVERY}) with a registry that records its calls: {case}",
                expected="; ".join(wanted) or "no calls",
                saw="; ".join(found) or "no calls",
                means=(_waits(calls, found) if wanted else "") or means,
            )
        module.tell(json.dumps({"turns": MANY}))
        said = json.loads(module.hear(f"stay_registered() to make {MANY} turns", 30))
        require(
            said == [f"0 errors, {MANY} looks", "returned"],
            f"let stay_registered() make {MANY} turns, as in two hours",
            expected=f"0 errors, {MANY} looks, and then stay_registered() returns",
            saw=", then ".join(said),
            means="Something grows with each turn, for example the call stack of a function that"
            " calls itself. A"
            " service runs for weeks: use a loop.",
        )


def _by_turn(calls: list[str]) -> list[str]:
    """The calls of each turn; how often `knows` is asked, and when, does not matter."""
    turns: list[list[str]] = [[]]
    for call in calls:
        if call.startswith("wait"):
            if call != "wait":
                turns[-1].append(call)
            turns.append([])
        elif call not in ("knows", "returned"):
            turns[-1].append(call)
    return [" ".join(turn) for turn in (turns if turns[-1] else turns[:-1])]


def _waits(calls: list[str], turns: list[str]) -> str:
    """Return what is wrong with the pauses, or nothing."""
    if not any(call.startswith("wait") for call in calls):
        return (
            "The turn did not end with `left.wait(every)`. Another pause does not end early when"
            " `left` is set."
        )
    if any(call.startswith("wait(") for call in calls):
        return (
            "A turn must wait `every` seconds, also after errors: a longer pause keeps the entry"
            " missing longer."
        )
    if any(re.search("on_error (on_missing|register|on_error)", turn) for turn in turns):
        return (
            "After on_error the next turn began at once. `left.wait(every)` must end each turn, also one with"
            " an error. Without it the loop turns thousands of times a second while Consul is down."
        )
    return ""
