"""Watch yields each change soon, and asks Consul seldom."""

import json
import time
from collections.abc import Callable
from random import Random

from grading.learner_process import Beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.recording_proxy import Asked, RecordingProxy
from grading.system import eventually

from lab.course.exercise import Exercise
from lab.deadlines import slow
from lab02_discovery.catalog import HOST
from lab02_discovery.lookup import BESIDE, CRITICAL, listed, two_instances
from lab02_discovery.probe import QUIET, put, turned

WATCH = """
sys.stdin.readline()
for found in registry().watch(name):
    say(listed(found))
    sys.stdin.readline()
"""
AHEAD = 1_000_000


@check(points=3)
def test_watch(lab: Exercise, rng: Random) -> None:
    """Watch yields passing instances, and sees each change in less than a second, without polling"""
    with two_instances(lab, rng, WATCH) as (name, module, proxy):
        proxy.ahead = AHEAD
        module.tell("begin")
        wanted, said = listed(name, [1]), module.hear("the first list of watch()")
        did = f"{BESIDE}, with one passing and one critical instance: watch()"
        require(said == wanted, did, expected=wanted, saw=said, means=CRITICAL.replace("healthy", "watch"))
        _change_while_the_consumer_works(name, module)
        _waits_for_changes(name, module, proxy)
        _sees_changes(name, module, proxy)
        _only_changes(name, module, proxy)
        _index_goes_back(name, module, proxy)


def _change_while_the_consumer_works(name: str, module: Beside) -> None:
    """The generator stands at its yield: what changes now has to be in its next list."""
    turned(name, 2, "passing")
    passing = f"/v1/health/service/{name}?passing=true"
    eventually(lambda: len(consul("GET", passing)) == 2, within=5, what="Consul to know of the change")
    _next_list(
        name, module, [1, 2], "watch() after an instance turned passing while the consumer worked",
        "A change between two questions was lost. The index must come from the same answer as the list"
        " that was"
        " yielded; then Consul answers the next question at once.",
    )  # fmt: skip


def _back_to_wait(module: Beside, proxy: RecordingProxy) -> None:
    """Let the generator continue, until its next question is with Consul."""
    before = len(proxy.asked)
    module.tell("next")
    _until(lambda: len(proxy.asked) > before)


def _until(condition: Callable[[], bool]) -> None:
    """Wait for at most two seconds; what follows judges what did not happen."""
    deadline = time.monotonic() + 2
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.05)  # the proxy has recorded the question, and passes it on now


def _next_list(name: str, module: Beside, numbers: list[int], what: str, means: str, port: int = 9) -> None:
    """Go back into the generator: this list has to come within a second."""
    began = time.monotonic()
    module.tell("next")
    _hears(name, module, numbers, began, what, means, port)


def _hears(
    name: str, module: Beside, numbers: list[int], began: float, what: str, means: str, port: int = 9
) -> None:
    wanted = listed(name, numbers, port)
    said = module.hear(f"a list from {what}", 6, means)
    late = time.monotonic() - began
    require(
        said == wanted and late < slow(),
        f"{BESIDE}: {what}",
        expected=f"{wanted} within 1 s",
        saw=f"{said} after {late:.1f} s",
        means=TOO_LATE if said == wanted else means,
    )


TOO_LATE = (
    "The list is right and came late: `watch` pauses between its questions. Consul itself holds back"
    " the answer to"
    " a question with an index until there is a change, so no pause is needed."
)


def _waits_for_changes(name: str, module: Beside, proxy: RecordingProxy) -> None:
    _back_to_wait(module, proxy)
    before = len(proxy.asked)
    time.sleep(QUIET)  # what is measured is how much is asked meanwhile
    requests = proxy.asked[before:]
    require(
        len(requests) <= 1,
        f"{BESIDE}: watch() for {QUIET:g} s while nothing changes",
        expected="one question that Consul holds back until there is news",
        saw=f"{len(requests)} questions, such as {_words(requests[-1:])}",
        means="`watch` polls: each watcher is a load for Consul, and still sees a change late. Give the"
        " index of the last answer, and Consul holds the next one back.",
    )


def _words(requests: list[Asked]) -> str:
    return ", ".join(f"{asked.method} {asked.path}" for asked in requests)


def _sees_changes(name: str, module: Beside, proxy: RecordingProxy) -> None:
    for change, numbers in (("critical", [1]), ("passing", [1, 2])):
        began = time.monotonic()
        turned(name, 2, change)
        means = "A blocking query returns at once when something changes; polling sees it at its next turn."
        _hears(name, module, numbers, began, f"watch() while one instance turns {change}", means)
        _back_to_wait(module, proxy)  # a change before that would prove nothing


def _only_changes(name: str, module: Beside, proxy: RecordingProxy) -> None:
    """A check that writes another text moves Consul's index, and the instances are the same."""
    before = len(proxy.asked)
    turned(name, 2, "passing", "another text")
    _until(lambda: len(proxy.asked) > before)  # the next question: there was no list in between
    began = time.monotonic()
    put(name, 2, "passing", port=10)
    said = module.hear("watch() to yield the new port", 6, MOVED)
    late = time.monotonic() - began
    wanted = json.dumps([f"{name}-1 at {HOST}:9", f"{name}-2 at {HOST}:10"])
    require(
        said == wanted and late < slow(),
        f"{BESIDE}: watch() while a check of the same status writes another text, and then an instance"
        " moves to port 10",
        expected=f"one list, after the move: {wanted}",
        saw=f"{said} after {late:.1f} s",
        means="`watch` must yield when the instances differ from those of the last list, and only then:"
        " Consul's index"
        " also moves for other reasons. Compare whole instances, because an instance can move.",
    )


MOVED = (
    "An instance with another address or port is a change, also when its id is the same. Compare"
    " whole instances."
)
BACKWARDS = (
    "Consul's index went backwards, as it does after Consul lost its state. A question with the old,"
    " larger index is"
    " held back although things change. When the new index is smaller, begin again without an index."
)


def _index_goes_back(name: str, module: Beside, proxy: RecordingProxy) -> None:
    _back_to_wait(module, proxy)
    proxy.ahead = 0
    turned(name, 2, "critical")
    module.hear("watch() to see a change", 6, BACKWARDS)
    _back_to_wait(module, proxy)
    began = time.monotonic()
    turned(name, 2, "passing")
    said = module.hear("watch() to see a change after the index of Consul went backwards", 6, BACKWARDS)
    late = time.monotonic() - began
    require(
        late < slow(),
        f"{BESIDE}: watch() after the index of Consul went backwards, while an instance turns passing",
        expected="a list within 1 s",
        saw=f"{said} after {late:.1f} s",
        means=BACKWARDS,
    )
