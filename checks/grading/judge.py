"""From what a check raised, and the state of the system, to one of four outcomes."""

import httpx

from grading.outcome import NotGradable, Outcome, Wrong
from grading.system import ENDPOINTS, backend, dead_servers, home
from lab import plain
from lab.course.exercise import Exercise
from lab.course.running import Incident, incidents, is_active, is_waiting
from lab.errors import NotFromHere
from lab.readiness import PATHS, slow

RESTART = "./lab up, then ./lab status"


def unable(lab: Exercise) -> str:
    """Why nothing of this lab can be graded now; '' when it can."""
    if not backend.running():
        return "the system is not running"
    if dead := dead_servers():
        return f"{dead[0]} does not answer"
    return ""


def judge(lab: Exercise, error: BaseException, since: float) -> tuple[Outcome, list[tuple[str, str]]]:
    """Outcome and words for a check that did not pass. `since`: when it began, Unix seconds."""
    number = lab.number
    if isinstance(error, NotFromHere):
        next = f"on your own machine, in this folder: ./lab check {number}"
        return Outcome.NOT_GRADABLE, [("why", "JupyterLab has no say over the containers"), ("next", next)]
    mine = is_active(home, lab)
    happened = incidents(backend, lab.units, since) if mine else []
    # A tool that ran the learner's code is no unit; whoever ran it brings what it said.
    happened += getattr(error, "incidents", [])
    starters = [incident for incident in happened if incident.not_attempted]
    if starters and not (isinstance(error, NotGradable) and unable(lab)):
        what = starters[-1].text.partition(": ")[2]
        return Outcome.NOT_ATTEMPTED, [("saw", what), ("next", f"./lab task {number}")]
    if isinstance(error, Wrong):
        lines = [("did", error.did), ("expected", error.expected), ("saw", error.saw), ("means", error.means)]
        return Outcome.FAIL, lines + _look(lab, happened, mine)
    if happened:
        return Outcome.FAIL, [
            ("did", "used the service as the task describes"),
            ("expected", "an answer"),
            ("saw", _short(error)),
            ("means", "Your code failed before it could answer."),
            *_look(lab, happened, mine),
        ]
    if isinstance(error, NotGradable):
        return Outcome.NOT_GRADABLE, [("why", str(error)), ("next", RESTART)]
    if mine and not _answering(lab):
        return Outcome.FAIL, [
            ("did", f"spoke to {', '.join(lab.units)}, which runs your code"),
            ("expected", "an answer"),
            ("saw", _short(error)),
            ("means", "The unit that runs your code is not healthy."),
            *_look(lab, happened, mine),
        ]
    return Outcome.NOT_GRADABLE, [
        ("why", f"the check itself broke: {_short(error)}"),
        ("next", f"{RESTART}; then ./lab check {number}"),
    ]


def _answering(lab: Exercise) -> bool:
    states = {unit.name: unit.state for unit in backend.units()}
    # "not seen": a worker, from inside JupyterLab.
    return all(states.get(unit) in ("running", "not seen") for unit in lab.units)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _look(lab: Exercise, happened: list[Incident], mine: bool) -> list[tuple[str, str]]:
    if not mine:
        where = f"the platform's own code runs: ./lab start {lab.number} to have yours graded"
    elif happened:
        where = str(happened[-1])
    else:
        where = ", ".join(f"labs/{p.file.parent.name}/{p.file.name}" for p in lab.pieces)
    return [("look at", where), ("next", f"./lab hint {lab.number}")]


def absent_units(lab: Exercise) -> list[str]:
    """Units of this lab that do not take part: they do not answer, or others do not know that they do."""
    return [unit for unit in lab.units if not _takes_part(unit)]


def _takes_part(unit: str) -> bool:
    if unit not in PATHS:
        return not is_waiting(backend, unit)  # a worker: its own log says so
    consul = f"{ENDPOINTS['consul']}/v1/health/service/{unit}?passing=true"
    try:
        # Whatever it answers: what is in the answer is for the checks.
        plain.get(f"{ENDPOINTS[unit]}/health", timeout=1 * slow())
        if not plain.get(consul, timeout=5).json():
            return False
        through = plain.get(f"{ENDPOINTS['gateway']}/api/{PATHS[unit]}/health", timeout=5).status_code
    except (httpx.HTTPError, ValueError):
        return False
    # 404: the gateway has no router for it yet.
    return through not in (404, 502, 503, 504)
