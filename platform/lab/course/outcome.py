"""The four outcomes, and the words of a verdict."""

import textwrap
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NoReturn

from lab.text import visible

WIDTH = 80


class Outcome(StrEnum):
    """Never two: a dead server must not look like a wrong answer."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    FAIL = "fail"
    NOT_GRADABLE = "not gradable"
    NOT_ATTEMPTED = "not attempted"


EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.NOT_GRADABLE: 2, Outcome.NOT_ATTEMPTED: 3}


def overall(outcomes: list[Outcome]) -> Outcome:
    """One outcome for many: what could not be judged outweighs what is wrong."""
    for outcome in (Outcome.NOT_GRADABLE, Outcome.FAIL, Outcome.NOT_ATTEMPTED):
        if outcome in outcomes:
            return outcome
    return Outcome.PASS if outcomes else Outcome.NOT_GRADABLE


def printable(text: str) -> str:
    """The text with escape sequences, other controls and halves of characters made visible."""
    return visible(text)


class Wrong(AssertionError):
    """The system did not do what the task asks for."""

    def __init__(self, did: str, expected: object, saw: object, means: str) -> None:
        super().__init__(f"{did}: expected {expected}, saw {saw}")
        self.did, self.means = did, means
        self.expected, self.saw = str(expected), " ".join(str(saw).split())[:600]


class NotGradable(Exception):
    """The check could not find out; the text names the unit and what to do."""


def wrong(did: str, *, expected: object, saw: object, means: str) -> NoReturn:
    """Fail the check with the four things a learner needs to know."""
    raise Wrong(did, expected, saw, means)


def require(good: object, did: str, *, expected: object, saw: object, means: str) -> None:
    """Fail the check unless `good`."""
    if not good:
        wrong(did, expected=expected, saw=saw, means=means)


@dataclass
class Verdict:
    """The result of one check; lists of (label, text) are what a person reads."""

    check: str
    title: str
    lab: str
    points: int
    outcome: Outcome
    seconds: float
    lines: list[tuple[str, str]]
    step: int = 0
    """The step of the lab that the check judges."""

    def text(self) -> str:
        """Wrapped for 80 columns; in words, not only in colours."""
        head = f"{self.outcome.upper()}: {self.title} ({self.check})"
        parts = [textwrap.fill(head, WIDTH)]
        for label, said in self.lines:
            for number, line in enumerate(said.splitlines() or [""]):
                lead = f"  {label + ':' if number == 0 else '':<10}"
                parts.append(
                    textwrap.fill(
                        line.strip(), WIDTH, initial_indent=lead, subsequent_indent=" " * 12,
                        break_on_hyphens=False,
                    )
                    or lead
                )  # fmt: skip
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"outcome": str(self.outcome)}


def as_text(verdicts: list[dict[str, Any]]) -> str:
    """All verdicts for a person; what several in a row have in common is said once, after the last."""
    texts: list[str] = []
    for found, following in zip(verdicts, [*verdicts[1:], {}], strict=True):
        verdict = from_dict(found)
        if found["lines"] == following.get("lines"):
            verdict.lines = []
        texts.append(verdict.text())
    return "\n".join(texts)


def from_dict(data: dict[str, Any]) -> Verdict:
    """The verdict that `as_dict` wrote."""
    lines = [(label, said) for label, said in data["lines"]]
    return Verdict(**(data | {"outcome": Outcome(data["outcome"]), "lines": lines}))
