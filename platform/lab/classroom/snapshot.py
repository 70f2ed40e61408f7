"""What a learner's machine shares with the class: nothing but what this module lists.

A snapshot is the whole state, so a lost or repeated one does no harm. Everything that arrives from a
learner's machine passes `cleaned`, which keeps only labs, steps, checks, questions and choices that this
course has. The texts of failed checks are the only free text, and they are cut.
"""

import json
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.classroom.questions import questions
from lab.course.exercise import Exercise, exercises
from lab.course.steps import judged_by
from lab.home import REPO, Home
from lab.text import visible

OUTCOMES = ("pass", "fail", "not gradable", "not attempted")
MOST_BYTES = 128 * 1024
"""A snapshot as JSON is never larger, because its parts are bounded."""
MOST_FAILURES = 4
"""Failed checks that are kept for each lab."""
LONGEST_TITLE, LONGEST_MESSAGE, LONGEST_NAME = 120, 300, 40
SHARED = (
    "the name that you type",
    "for each lab that you have checked: the outcome of each step, your points, and the time of the check",
    "for each check that failed: its name, its title, and what it saw and what that means, cut at"
    f" {LONGEST_MESSAGE} characters",
    "your predictions: the question, the letter of your choice, and whether you have seen the outcome",
)
"""What is sent, for people. docs/instructor/overview.md has the same list."""


@dataclass(frozen=True)
class Failure:
    """A check that failed."""

    check: str
    step: int
    title: str
    message: str


@dataclass(frozen=True)
class LabState:
    """How far a learner is with one lab. `when` is the time of the last check, by the learner's clock."""

    steps: dict[str, str] = field(default_factory=dict)
    points: int = 0
    of: int = 0
    when: str = ""
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Guess:
    """A prediction: the letter of the choice, and whether the learner has seen the outcome."""

    mine: str
    seen: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Everything that one learner shares: labs by number, and predictions by question."""

    labs: dict[str, LabState] = field(default_factory=dict)
    predictions: dict[str, Guess] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the snapshot in a form that JSON can hold."""
        return asdict(self)


def of_home(home: Home) -> Snapshot:
    """Return what is shared of a learner's home. Missing and damaged files count as empty."""
    return of_files(_read(home, "progress.json"), _read(home, "predictions.json"), home.root)


def of_files(progress: object, predictions: object, root: Path) -> Snapshot:
    """Return the snapshot of the files that `./lab check` and the notebooks have written below `root`."""
    places = _places(root)
    labs = {lab.number: _recorded(lab, _dict(_dict(progress).get(lab.number)), places) for lab in exercises()}
    checked = {number: state for number, state in labs.items() if state}
    return cleaned({"labs": checked, "predictions": _dict(predictions)})


def _recorded(lab: Exercise, known: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """Return what is shared of one lab's record. Only results of the learner's own code count."""
    mine = known.get("mine") is True
    steps = _dict(known.get("steps")) if mine else {}
    if known.get("passed_once"):
        steps = {str(step): "pass" for step in range(1, len(lab.steps) + 1)}
    if not steps:
        return {}
    verdicts = known.get("verdicts") if mine and not known.get("passed_once") else []
    failed = [_dict(v) for v in verdicts if _dict(v).get("outcome") == "fail"] if verdicts else []
    failures = [
        {"check": v.get("check"), "title": v.get("title"), "message": _message(v.get("lines"), places)}
        for v in failed
    ]
    facts = {name: known.get(name) for name in ("points", "of", "when")}
    return {"steps": steps, "failures": failures, **facts}


def _places(root: Path) -> dict[str, str]:
    """Return paths that name this machine's user, with what is sent in their place; the longest first."""
    found = {str(REPO): ".", str(root): "LAB_HOME"}
    with suppress(RuntimeError):  # a user without a home folder
        found[str(Path.home())] = "~"
    return {path: found[path] for path in sorted(found, key=len, reverse=True) if len(path) > 1}


def _message(lines: object, places: Mapping[str, str]) -> str:
    """Return what a check saw and what that means, as one text without this machine's paths."""
    pairs = [line for line in lines if isinstance(line, list | tuple) and len(line) == 2] if isinstance(
        lines, list | tuple) else []  # fmt: skip
    by_label = {str(label): str(text) for label, text in pairs}
    # What it means comes first: it is the same for all who make this mistake.
    text = " ".join(by_label[label] for label in ("means", "why", "saw") if label in by_label)
    for path, name in places.items():
        text = text.replace(path, name)
    return text


def cleaned(raw: object) -> Snapshot:
    """Return the parts of a snapshot that this course knows; all else is dropped.

    Raises ValueError when it is no snapshot at all.
    """
    if not isinstance(raw, Mapping) or not {*raw} & {"labs", "predictions"}:
        raise ValueError("a snapshot is an object with `labs` and `predictions`")
    labs = _dict(raw.get("labs"))
    found = {lab.number: _lab(lab, _dict(labs[lab.number])) for lab in exercises() if lab.number in labs}
    guesses = {}
    for text, asked in questions().items():
        guess = _dict(_dict(raw.get("predictions")).get(text))
        if isinstance(letter := guess.get("mine"), str) and letter in asked.choices:
            guesses[text] = Guess(letter, guess.get("seen") is True)
    return Snapshot({number: lab for number, lab in found.items() if lab.steps}, guesses)


def _lab(lab: Exercise, raw: Mapping[str, Any]) -> LabState:
    numbers = [str(step) for step in range(1, len(lab.steps) + 1)]
    outcomes = _dict(raw.get("steps"))
    steps = {number: outcomes[number] for number in numbers if outcomes.get(number) in OUTCOMES}
    listed = raw.get("failures")
    failures = [_failure(lab, _dict(each)) for each in (listed if isinstance(listed, list | tuple) else [])]
    kept = [each for each in failures if each.step][:MOST_FAILURES]
    return LabState(
        steps, _count(raw.get("points")), _count(raw.get("of")), _cut(raw.get("when"), 19),
        tuple(kept),
    )  # fmt: skip


def _failure(lab: Exercise, raw: Mapping[str, Any]) -> Failure:
    check = _cut(raw.get("check"), 80)
    title = _cut(raw.get("title"), LONGEST_TITLE)
    return Failure(
        check.partition("[")[0],
        judged_by(lab, check),
        title,
        _cut(raw.get("message"), LONGEST_MESSAGE),
    )


def name_of(text: str) -> str:
    """Return a name as it is shown, on one line and composed (NFC). Raises ValueError for an empty one."""
    if not (name := _cut(unicodedata.normalize("NFC", text), LONGEST_NAME)):
        raise ValueError("the name is empty")
    return name


def _cut(text: object, longest: int) -> str:
    """Return a text as one line of at most `longest` characters. Cutting twice changes nothing more."""
    line = " ".join(visible(text[: 2 * longest]).split()) if isinstance(text, str) else ""
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def _read(home: Home, name: str) -> object:
    try:
        return json.loads((home.root / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _dict(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _count(found: object) -> int:
    return found if type(found) is int and 0 <= found < 10_000 else 0
