"""Define the four outcomes and the verdict of a check."""

import textwrap
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NoReturn

from lab.text import visible

WIDTH = 80


class Outcome(StrEnum):
    """The result of a check. Pass and fail are not enough: a dead server must not look like wrong code."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    FAIL = "fail"
    NOT_GRADABLE = "not gradable"
    NOT_ATTEMPTED = "not attempted"


EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.NOT_GRADABLE: 2, Outcome.NOT_ATTEMPTED: 3}


def overall(outcomes: list[Outcome]) -> Outcome:
    """Return one outcome for many: not gradable comes before fail, and fail before not attempted."""
    for outcome in (Outcome.NOT_GRADABLE, Outcome.FAIL, Outcome.NOT_ATTEMPTED):
        if outcome in outcomes:
            return outcome
    return Outcome.PASS if outcomes else Outcome.NOT_GRADABLE


def printable(text: str) -> str:
    """Return the text with all control characters and unpaired surrogates made visible."""
    return visible(text)


class Wrong(AssertionError):
    """Raised by a check when the system did not do what the step asks for."""

    def __init__(self, did: str, expected: object, saw: object, means: str) -> None:
        super().__init__(f"{did}: expected {expected}, saw {saw}")
        self.did, self.means = did, means
        self.expected, self.saw = str(expected), " ".join(str(saw).split())[:600]


class NotGradable(Exception):
    """Raised by a check that cannot judge the code. The text names the unit and what to do."""


def wrong(did: str, *, expected: object, saw: object, means: str) -> NoReturn:
    """Fail the check: what was done, expected and observed, and what that means."""
    raise Wrong(did, expected, saw, means)


def require(good: object, did: str, *, expected: object, saw: object, means: str) -> None:
    """Fail the check unless `good`."""
    if not good:
        wrong(did, expected=expected, saw=saw, means=means)


@dataclass
class Verdict:
    """The result of one check. `lines` holds pairs of label and text for a person to read."""

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
        """Return the verdict as text, wrapped for 80 columns."""
        head = f"{self.outcome.upper()}: {self.title} ({self.check})"
        parts = [textwrap.fill(head, WIDTH)]
        for label, content in self.lines:
            for number, line in enumerate(content.splitlines() or [""]):
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
        """Return the verdict in a form that JSON can hold."""
        return asdict(self) | {"outcome": str(self.outcome)}


def as_text(verdicts: list[dict[str, Any]]) -> str:
    """Return all verdicts as text. Of several in a row with the same lines, only the last one shows them."""
    texts: list[str] = []
    for found, following in zip(verdicts, [*verdicts[1:], {}], strict=True):
        verdict = from_dict(found)
        if found["lines"] == following.get("lines"):
            verdict.lines = []
        texts.append(verdict.text())
    return "\n".join(texts)


def from_dict(data: dict[str, Any]) -> Verdict:
    """Return the verdict from the form that `as_dict` returns."""
    lines = [(label, content) for label, content in data["lines"]]
    return Verdict(**(data | {"outcome": Outcome(data["outcome"]), "lines": lines}))
