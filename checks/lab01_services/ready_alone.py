"""ready() called beside the system, with a database check that answers, fails, or waits for ever."""

import json
from typing import Any

from grading.learner_process import Beside, beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab.deadlines import slow

PROGRAM = """
import asyncio, contextlib, json, sys, time
from civildiy.chassis.errors import Unavailable
from civildiy.profile import api
class Odd(Exception):
    pass
asked = 0
async def check(what):
    global asked
    asked += 1
    match what:
        case "fails":
            raise ConnectionError("connection refused")
        case "fails with an unusual error":
            raise Odd("no description")
        case "needs 0.3 s":
            await asyncio.sleep(0.3)
        case "never ends":
            await asyncio.sleep(3600)
        case "goes on for 20 s although it is cancelled":
            end = time.monotonic() + 20
            while (left := end - time.monotonic()) > 0:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(left)
            raise ConnectionError("gave up")
async def ask(what):
    global asked
    asked, began = 0, time.monotonic()
    try:
        found = await asyncio.wait_for(api.ready(lambda: check(what)), 25)
        said = f"Readiness {found.service} {' '.join(found.dependencies)}"
    except Unavailable as error:
        said = f"Unavailable {error.unit}"
    except NotImplementedError:
        raise
    except Exception as error:
        said = type(error).__name__
    late = time.monotonic() - began
    await asyncio.sleep(0.05)  # tasks that were cancelled end now
    return [said, asked, late, len(asyncio.all_tasks()) - 1]
async def main():
    for line in sys.stdin:
        say(json.dumps(await ask(json.loads(line))))
asyncio.run(main())
"""
GOOD, BAD = "Readiness profile postgresql", "Unavailable postgresql"
LIMIT_SECONDS = 2.0
NOW = (
    "`ready` must call the check of PostgreSQL each time. An answer from memory says what was true earlier:"
    " requests go on to an instance that cannot serve them."
)
RIGHT = "PostgreSQL answered within two seconds, so `ready` must return a `Readiness` that lists postgresql."
ANY = (
    "Every exception of the check means the same: PostgreSQL cannot be used now. `failing` catches all of"
    " them and returns the name."
)
SILENT = (
    "`failing` gives each check two seconds. A frozen server accepts connections and never answers, so"
    " without a limit of its own `ready` waits as long as the driver does."
)
STUBBORN = (
    "A driver that waits for a frozen server needs some seconds to give up after it was cancelled, and"
    " `asyncio.wait_for` and `asyncio.timeout` wait for that. `failing` answers after two seconds in any"
    " case."
)
TASKS = (
    "A check that did not end in time is still running. Each call of `/ready` leaves one behind, with its"
    " connection to the database. `failing` cancels it."
)


@check(points=2)
def test_ready_step_by_step(lab: Exercise) -> None:
    """ready() calls the database check each time, for at most two seconds, and treats all errors alike"""
    with beside(lab, "profile", PROGRAM, only=("civildiy.profile.api",)) as module:
        _wants(module, "answers", GOOD, RIGHT)
        _wants(module, "fails", BAD, ANY)
        _wants(module, "fails with an unusual error", BAD, ANY)
        _wants(module, "answers", GOOD, NOW)
        _wants(module, "needs 0.3 s", GOOD, RIGHT)
        left = _in_time(module, "never ends", SILENT)
        did = "called ready() beside the system with a database check that never ends"
        did += ", and looked for tasks of asyncio that are still there"
        require(not left, did, expected="none", saw=left, means=TASKS)
        _wants(module, "answers", GOOD, NOW)
        _in_time(module, "goes on for 20 s although it is cancelled", STUBBORN)
        _wants(module, "answers", GOOD, NOW)


def _in_time(module: Beside, what: str, means: str) -> int:
    """Unavailable comes soon. How many tasks it left behind."""
    late, left = _wants(module, what, BAD, means)
    most = 2 * LIMIT_SECONDS * slow()
    require(
        late < most,
        f"called ready() beside the system with a database check that {what}",
        expected=f"Unavailable within {most:g} s",
        saw=f"Unavailable after {late:.1f} s",
        means=means,
    )
    return left


def _wants(module: Beside, what: str, wanted: str, means: str) -> tuple[float, int]:
    """How long the answer took, and how many tasks it left behind."""
    module.tell(json.dumps(what))
    found: list[Any] = json.loads(module.hear(f"ready() to return with a database check that {what}", 30))
    said, asked, late, left = found
    require(
        said == wanted and asked,
        f"called ready() beside the system with a database check that {what}",
        expected=f"{_in_words(wanted)}, after the check was called",
        saw=f"{_in_words(said)}; the check was called {asked} times",
        means=NOW if not asked else means,
    )
    return late, left


def _in_words(said: str) -> str:
    kind, _, rest = said.partition(" ")
    if kind == "Readiness":
        return f"a Readiness of {rest.replace(' ', ' with the dependencies ', 1)}"
    if kind == "Unavailable":
        return f'Unavailable("{rest}") to be raised'
    return f"{said} was raised"
