"""From what a check raised, and the state of the system, to one of four outcomes."""

import re

import httpx

from grading.answers import Answer, Last, Odd, Source, asked, service_of, source_of
from grading.outcome import NotGradable, Outcome, Wrong
from grading.servers import ServerAway, Watched
from grading.stack import ENDPOINTS, backend, home
from lab.course.exercise import Exercise
from lab.course.running import Incident, incidents, is_active, is_waiting
from lab.course.steps import Step
from lab.errors import NotFromHere, NotWithThisEngine
from lab.probes import local_http
from lab.probes.readiness import slow
from lab.topology import PATHS

RESTART = "./lab up, then ./lab status"
Lines = list[tuple[str, str]]

ODD_VALUE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, httpx.HTTPError)
"""What a check raises when it meets what it did not expect; all else are broken servers and checks …"""
ODD_NAMES = {"PyJWTError", "BSONError", "ProgrammingError", "OperationFailure", "ResponseError", "ToolFailed"}
"""… and what drivers raise for that, by name: to import them all would slow down each run of the checks."""


class Unwritten(Exception):
    """The check needs a step of which nothing is written; the text is the starter's own."""


class OwnCodeFailed(Exception):
    """A unit that runs the learner's code does not take part; `since`: when it loaded that code."""

    def __init__(self, unit: str, since: float) -> None:
        super().__init__(f"{unit} does not take part: its code failed")
        self.since = since


class Broken(Wrong):
    """What is written of a step cannot run, whatever it would do."""


def judge(
    lab: Exercise, error: BaseException, since: float, watched: Watched, step: Step | None = None
) -> tuple[Outcome, Lines]:
    """Outcome and words for a check that did not pass.

    `since`: when it began, Unix seconds. `watched`: the servers at that time. `step`: the step that the
    check judges.
    """
    number = lab.number
    if isinstance(error, Unwritten):
        return Outcome.NOT_ATTEMPTED, [("saw", str(error)), ("next", f"./lab task {number}")]
    if isinstance(error, Broken):
        where = ("look at", error.saw.partition(": ")[0])
        return Outcome.FAIL, [*_said(error), where, ("next", f"./lab hint {number}")]
    if isinstance(error, Warning) and error.__cause__:  # pytest's, about an error in a thread of the check
        error = error.__cause__
    if isinstance(error, NotWithThisEngine):
        return Outcome.NOT_GRADABLE, [("why", str(error)), ("next", error.next.replace("NN", number))]
    if isinstance(error, NotFromHere):
        next = f"on your own machine, in this folder: ./lab check {number}"
        return Outcome.NOT_GRADABLE, [("why", "JupyterLab has no say over the containers"), ("next", next)]
    # Asked again: a server that died while the check ran looks like a wrong answer.
    if why := str(error) if isinstance(error, ServerAway) else watched.trouble():
        return Outcome.NOT_GRADABLE, [("why", why), ("next", RESTART)]
    mine = is_active(home, lab)
    since = getattr(error, "since", since)
    happened = incidents(backend, lab.units, since) if mine else []
    # A tool that ran the learner's code is no unit; whoever ran it brings what it said.
    happened += getattr(error, "incidents", [])
    if what := _unwritten(error, happened, step):
        return Outcome.NOT_ATTEMPTED, [("saw", what), ("next", f"./lab task {number}")]
    happened = [incident for incident in happened if not incident.not_attempted]
    # What another step's code met meanwhile tells less.
    happened.sort(key=lambda found: step is not None and step.holds(found.file, found.line))
    if isinstance(error, Odd) and not (mine and _to_blame(lab, error.service)):
        why = f"{error.did}: {error.saw}, instead of {error.expected}"
        return Outcome.NOT_GRADABLE, [("why", why), ("next", RESTART)]
    if isinstance(error, Wrong):
        return Outcome.FAIL, _said(error) + _look(lab, happened, mine, step)
    if happened:
        return Outcome.FAIL, [
            ("did", "used the service as the task describes"),
            ("expected", "an answer"),
            ("saw", _short(error)),
            ("means", "Your code failed before it could answer."),
            *_look(lab, happened, mine, step),
        ]
    if isinstance(error, NotGradable):
        return Outcome.NOT_GRADABLE, [("why", str(error)), ("next", RESTART)]
    source = _read(error) if mine and _is_odd(error) else None
    if source and not _to_blame(lab, source.service):
        return Outcome.NOT_GRADABLE, [("why", f"{source.did}: {source.saw}"), ("next", RESTART)]
    if source:
        return Outcome.FAIL, [
            ("did", source.did),
            ("expected", "an answer as the task describes it"),
            ("saw", source.saw),
            ("means", f"Nothing can be made of this answer ({_short(error)})."),
            *_look(lab, happened, mine, step),
        ]
    if mine and not _answering(lab):
        return Outcome.FAIL, [
            ("did", f"spoke to {', '.join(lab.units)}, which runs your code"),
            ("expected", "an answer"),
            ("saw", _short(error)),
            ("means", "The unit that runs your code is not healthy."),
            *_look(lab, happened, mine, step),
        ]
    return Outcome.NOT_GRADABLE, [
        ("why", f"the check itself broke: {_short(error)}"),
        ("next", f"{RESTART}; then ./lab check {number}"),
    ]


def unfinished(lab: Exercise, step: Step) -> tuple[Outcome, Lines]:
    """Of a check that passes although part of its step is still the platform's."""
    names = ", ".join(f"`{name}`" for name in step.untouched)
    saw = f"What you wrote works together with the platform's {names}, which you have not written yet."
    return Outcome.NOT_ATTEMPTED, [("saw", saw), ("next", f"./lab task {lab.number}")]


def _said(error: Wrong) -> Lines:
    return [("did", error.did), ("expected", error.expected), ("saw", error.saw), ("means", error.means)]


def _unwritten(error: BaseException, happened: list[Incident], step: Step | None) -> str:
    """The starter's own words when the check met what is left of them in its step; else ''."""
    if isinstance(error, NotImplementedError) and "Lab " in str(error):
        return str(error).rpartition("NotImplementedError: ")[2]
    # A unit that cannot begin is of no use to any check. Else a step that this check has no need of (some
    # probe asks for it once a second) says nothing about what the check saw.
    every = isinstance(error, OwnCodeFailed) or step is None
    for incident in reversed(happened):
        met = re.search(r"Lab \d\d, step (\d+):", incident.text)
        if incident.not_attempted and met and (every or (step and int(met[1]) == step.number)):
            return incident.text.partition(": ")[2]
    return ""


def _to_blame(lab: Exercise, service: str) -> bool:
    """Whether an odd answer of `service` ('' when unknown) can be the doing of the code of this lab.

    All that is asked at the gateway passes through auth.
    """
    return not service or service in lab.units or "auth" in lab.units


def _is_odd(error: BaseException) -> bool:
    return isinstance(error, ODD_VALUE) or any(kind.__name__ in ODD_NAMES for kind in type(error).__mro__)


def _read(error: BaseException) -> Source | None:
    """What was asked and came when `error` was raised."""
    if isinstance(error, httpx.HTTPStatusError):
        return source_of(Answer.of(error.response))
    if isinstance(error, httpx.HTTPError):
        request = error._request  # .request raises where there is none
        if request is None or str(request.url).startswith(ENDPOINTS["consul"]):
            return None
        return Source(asked(request), f"no answer ({_short(error)})", service_of(request.url))
    if hasattr(error, "incidents"):  # ToolFailed
        return Source("ran a tool of the feed", str(error), "feed")
    return Last.source or Source("read what your code wrote", _short(error))


def _answering(lab: Exercise) -> bool:
    states = {unit.name: unit.state for unit in backend.units()}
    # "not seen": a worker, from inside JupyterLab.
    return all(states.get(unit) in ("running", "not seen") for unit in lab.units)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _look(lab: Exercise, happened: list[Incident], mine: bool, step: Step | None) -> Lines:
    if not mine:
        where = f"the platform's own code runs: ./lab start {lab.number} to have yours graded"
    elif happened:
        where = str(happened[-1])
    else:
        where = "; ".join(_places(lab, step))
    return [("look at", where), ("next", f"./lab hint {lab.number}")]


def _places(lab: Exercise, step: Step | None) -> list[str]:
    """The files of the lab; for a step only those in which it has functions to write, with their names."""
    found = []
    for piece in lab.pieces:
        file = f"labs/{piece.file.parent.name}/{piece.file.name}"
        names = [f"`{name}`" for name, number in piece.left_out.items() if step and number == step.number]
        if names:
            found.append(f"{file}, {', '.join(names)}")
        elif step is None:
            found.append(file)
    return found


def absent_units(units: tuple[str, ...]) -> list[str]:
    """Those units that do not take part: they do not answer, or others do not know that they do."""
    return [unit for unit in units if not _takes_part(unit)]


def _takes_part(unit: str) -> bool:
    if unit not in PATHS:
        return not is_waiting(backend, unit)  # a worker: its own log says so
    consul = f"{ENDPOINTS['consul']}/v1/health/service/{unit}?passing=true"
    try:
        # Whatever it answers: what is in the answer is for the checks.
        local_http.get(f"{ENDPOINTS[unit]}/health", timeout=1 * slow())
        if not local_http.get(consul, timeout=5).json():
            return False
        through = local_http.get(f"{ENDPOINTS['gateway']}/api/{PATHS[unit]}/health", timeout=5).status_code
    except (httpx.HTTPError, ValueError):
        return False
    # 404: the gateway has no router for it yet.
    return through not in (404, 502, 503, 504)
