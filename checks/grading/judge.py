"""Turn the error of a check and the state of the system into one of four outcomes."""

import re

import httpx

from grading.answers import Answer, Last, Odd, Source, asked, service_of, source_of
from grading.outcome import NotGradable, Outcome, Wrong
from grading.servers import ServerUnavailable, Watched
from grading.stack import ENDPOINTS, backend, home
from lab.course import steps
from lab.course.exercise import Exercise
from lab.course.running import Incident, incidents, is_active, is_waiting, running_files
from lab.course.steps import Step
from lab.deadlines import slow
from lab.errors import NotFromHere, NotWithThisEngine
from lab.probes import local_http
from lab.topology import PATHS

RESTART = "./lab up, then ./lab status"
Lines = list[tuple[str, str]]

ODD_VALUE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, httpx.HTTPError)
"""What a check raises when it meets an unexpected answer; other errors mean a broken server or check …"""
ODD_NAMES = {"PyJWTError", "BSONError", "ProgrammingError", "OperationFailure", "ResponseError", "ToolFailed"}
"""… and the drivers' errors of that kind, by name: importing all drivers would slow down each run."""


class Unwritten(Exception):
    """Raised when the check needs a step without code; the text is the one of the starter."""


class OwnCodeFailed(Exception):
    """Raised when a unit with the learner's code does not work; `since`: when it loaded that code."""

    def __init__(self, unit: str, since: float) -> None:
        super().__init__(f"{unit} does not serve requests: its code failed")
        self.since = since


class Broken(Wrong):
    """Raised when the code of a step cannot run at all."""


def judge(
    lab: Exercise, error: BaseException, since: float, watched: Watched, step: Step | None = None
) -> tuple[Outcome, Lines]:
    """Return the outcome and the explanation for a check that did not pass.

    `since`: when the check began, in Unix seconds. `watched`: the servers at that time. `step`: the step
    that the check judges.
    """
    number = lab.number
    if isinstance(error, Unwritten):
        return Outcome.NOT_ATTEMPTED, [("saw", str(error)), ("next", f"./lab task {number}")]
    if isinstance(error, Broken):
        where = ("look at", error.saw.partition(": ")[0].partition(" has no ")[0])
        return Outcome.FAIL, [*_said(error), where, ("next", f"./lab hint {number}")]
    if isinstance(error, Warning) and error.__cause__:  # pytest's, about an error in a thread of the check
        error = error.__cause__
    if isinstance(error, NotWithThisEngine):
        return Outcome.NOT_GRADABLE, [("why", str(error)), ("next", error.next.replace("NN", number))]
    if isinstance(error, NotFromHere):
        next = f"on your own machine, in this folder: ./lab check {number}"
        return Outcome.NOT_GRADABLE, [("why", "JupyterLab cannot control the containers"), ("next", next)]
    # Checked again: if a server died during the check, that looks like a wrong answer.
    if why := str(error) if isinstance(error, ServerUnavailable) else watched.trouble():
        return Outcome.NOT_GRADABLE, [("why", why), ("next", RESTART)]
    mine = is_active(home, lab)
    since = getattr(error, "since", since)
    happened = incidents(backend, lab.units, since) if mine else []
    # A tool that ran the learner's code is not a unit; its error carries what the code did.
    happened += getattr(error, "incidents", [])
    if what := _unwritten(error, happened, step):
        return Outcome.NOT_ATTEMPTED, [("saw", what), ("next", f"./lab task {number}")]
    happened = [incident for incident in happened if not incident.not_attempted]
    # Errors from the code of other steps tell less, so they come first and the last one is shown.
    happened.sort(key=lambda found: step is not None and step.holds(found.file, found.line))
    if isinstance(error, Odd) and not (mine and _to_blame(lab, error.service)):
        why = f"{error.did}: {error.saw}. Expected: {error.expected}"
        return Outcome.NOT_GRADABLE, [("why", why), ("next", RESTART)]
    if isinstance(error, Wrong):
        return Outcome.FAIL, _said(error) + _look(lab, step, happened, mine)
    if happened:
        return Outcome.FAIL, [
            ("did", "used the service as the task describes"),
            ("expected", "an answer"),
            ("saw", _short(error)),
            ("means", _failed(lab, step, happened[-1])),
            *_look(lab, step, happened, mine),
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
            *_look(lab, step, happened, mine),
        ]
    if mine and not _answering(lab):
        return Outcome.FAIL, [
            ("did", f"sent a request to {', '.join(lab.units)}, which runs your code"),
            ("expected", "an answer"),
            ("saw", _short(error)),
            ("means", "The unit that runs your code is not healthy."),
            *_look(lab, step, happened, mine),
        ]
    return Outcome.NOT_GRADABLE, [
        ("why", f"the check itself failed: {_short(error)}"),
        ("next", f"{RESTART}; then ./lab check {number}"),
    ]


def unfinished(lab: Exercise, step: Step) -> tuple[Outcome, Lines]:
    """Return the verdict on a check that passes although the platform's code does part of its step."""
    names = ", ".join(f"`{name}`" for name in step.untouched)
    saw = f"Your code works together with the platform's {names}, which you have not written yet."
    return Outcome.NOT_ATTEMPTED, [("saw", saw), ("next", f"./lab task {lab.number}")]


def _said(error: Wrong) -> Lines:
    return [("did", error.did), ("expected", error.expected), ("saw", error.saw), ("means", error.means)]


def _failed(lab: Exercise, step: Step | None, incident: Incident) -> str:
    """Say whose code failed; a unit that cannot start takes the checks of all its steps with it."""
    for other in steps.steps_of(lab, running_files(home, lab)):
        if step and other.number != step.number and other.holds(incident.file, incident.line):
            return f"Your code of step {other.number} failed. Repair it first: this step needs it to run."
    return "Your code failed before it could answer."


def _unwritten(error: BaseException, happened: list[Incident], step: Step | None) -> str:
    """Return the starter's text if the check met an unwritten part of its step, else ''."""
    if isinstance(error, NotImplementedError) and "Lab " in str(error):
        return str(error).rpartition("NotImplementedError: ")[2]
    # No check can use a unit that cannot start. Otherwise an unwritten step that this check does not
    # need says nothing about what the check saw: some probe calls it once a second.
    every = isinstance(error, OwnCodeFailed) or step is None
    for incident in reversed(happened):
        met = re.search(r"Lab \d\d, step (\d+):", incident.text)
        if incident.not_attempted and met and (every or (step and int(met[1]) == step.number)):
            return incident.text.partition(": ")[2]
    return ""


def _to_blame(lab: Exercise, service: str) -> bool:
    """Return whether this lab's code can be the cause of an odd answer of `service` ('' if unknown).

    Every request through the gateway passes auth.
    """
    return not service or service in lab.units or "auth" in lab.units


def _is_odd(error: BaseException) -> bool:
    return isinstance(error, ODD_VALUE) or any(kind.__name__ in ODD_NAMES for kind in type(error).__mro__)


def _read(error: BaseException) -> Source | None:
    """Return the request and the answer that `error` is about."""
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
    # "not seen": from inside JupyterLab, a worker's state is unknown.
    return all(states.get(unit) in ("running", "not seen") for unit in lab.units)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _look(lab: Exercise, step: Step | None, happened: list[Incident], mine: bool) -> Lines:
    if not mine:
        where = f"the platform's own code is running; to have yours graded: ./lab start {lab.number}"
    elif happened:
        where = str(happened[-1])
    else:
        where = places(lab, step.number if step else 0)
    return [("look at", where), ("next", f"./lab hint {lab.number}")]


def places(lab: Exercise, step: int) -> str:
    """The files with the functions that a step is about; all files of the lab for step 0."""
    found = []
    for piece in lab.pieces:
        names = [f"`{name}`" for name, number in piece.left_out.items() if number == step]
        if names or not step:
            where = f"labs/{piece.file.parent.name}/{piece.file.name}"
            found.append(f"{where}: {', '.join(names)}" if names else where)
    return "; ".join(found)


def absent_units(units: tuple[str, ...]) -> list[str]:
    """Return the units that are unusable: they do not answer, or Consul or the gateway do not know them."""
    return [unit for unit in units if not _takes_part(unit)]


def _takes_part(unit: str) -> bool:
    if unit not in PATHS:
        return not is_waiting(backend, unit)  # a worker: its own log tells
    consul = f"{ENDPOINTS['consul']}/v1/health/service/{unit}?passing=true"
    try:
        # Any answer will do: the checks judge its content.
        local_http.get(f"{ENDPOINTS[unit]}/health", timeout=1 * slow())
        if not local_http.get(consul, timeout=5).json():
            return False
        through = local_http.get(f"{ENDPOINTS['gateway']}/api/{PATHS[unit]}/health", timeout=5).status_code
    except (httpx.HTTPError, ValueError):
        return False
    # 404: the gateway has no router for it yet.
    return through not in (404, 502, 503, 504)
