"""Ask for a prediction, and show it later beside what happened.

In JupyterLab a prediction is a group of radio buttons. Everywhere else it is a table, and the answer is set
in code: `mine="b"`, or `guess.choose("b")`. An answer is kept in the lab's home, for the instructor as well.
How authors use it: docs/notebooks.md.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.classroom import sharing
from lab.errors import LabError
from lab.home import Home
from lab.jupyter import widgets
from lab.notebook.picture import Table

FILE = "predictions.json"


@dataclass(frozen=True)
class Outcome(Table):
    """A prediction beside what happened. Printed or displayed, it is a table."""

    mine: str = ""
    happened: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()

    def because(self, **why: str) -> "Outcome":
        """Add the explanation for the learner's choice, and for what happened if that was another.

        `guess.compare(…).because(a="The process …", b="…")`. Raises LabError for letters that are no choices.
        """
        if unknown := ", ".join(sorted({*why} - {*self.letters})):
            raise LabError(f"because() explains {unknown}, which is no choice of this question.")
        told = dict.fromkeys((self.mine, *self.happened))
        rows = [(f"why, for {letter}", why[letter]) for letter in told if letter in why]
        return Outcome(self.caption, self.heads, [*self.rows, *rows], self.mine, self.happened, self.letters)


class Prediction:
    """A question with its choices by letter; `mine` is '' until the learner has chosen."""

    def __init__(
        self, question: str, choices: Mapping[str, str], mine: str = "", locked: bool = False
    ) -> None:
        self.question, self.choices, self.mine, self.locked = question, dict(choices), mine, locked
        self._radio: Any = None

    def choose(self, letter: str) -> None:
        """Answer in code, as a click does. Raises LabError for an unknown letter, or after `compare`."""
        if letter not in self.choices:
            raise LabError(
                f"{letter!r} is not one of {', '.join(self.choices)}. Choose one of these letters."
            )
        if self.locked and letter != self.mine:
            raise LabError("You have seen the outcome, so this prediction cannot change any more.")
        self.mine = letter
        keep(self, Home.from_environment())
        if self._radio:
            self._radio.refresh()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        shown: dict[str, Any] = self._table()._repr_mimebundle_()
        if widgets.drawn():
            from lab.notebook.radio import Radio

            self._radio = self._radio or Radio(self)
            shown |= self._radio.bundle()  # JupyterLab prefers the widgets; other programs show the table
        return shown

    def _table(self) -> Table:
        marks = {self.mine: "your answer"}
        rows = [(letter, text, marks.get(letter, "")) for letter, text in self.choices.items()]
        stop = "" if self.question.endswith("?") else "."
        ask = "" if self.mine else f'{stop} Write a letter into mine="" and run this cell, then the next.'
        return Table(self.question + ask, ("", "choice", ""), rows)

    def compare(self, saw: str = "", **came: bool) -> Outcome:
        """Show the answer beside what happened; each keyword tells whether that choice happened.

        `guess.compare(saw="12 ms", a=ms < 1, b=1 <= ms < 100, c=ms >= 100)`. The answer is locked afterwards.
        Raises LabError for other letters than those of the choices.
        """
        if set(came) != set(self.choices):
            raise LabError(f"compare() needs a value for each choice: {', '.join(self.choices)}.")
        happened = tuple(letter for letter in self.choices if came[letter])
        self._lock()
        mine = f"{self.mine}: {self.choices[self.mine]}" if self.mine else "no answer yet"
        word = "as you predicted" if self.mine in happened else "something else happened" if self.mine else ""
        told = "; ".join(f"{letter}: {self.choices[letter]}" for letter in happened) or "none of these"
        rows = [("your prediction", mine), ("what happened", told)]
        rows += [("seen", saw)] if saw else []
        rows += [("result", word)] if word else []
        return Outcome(self.question, ("", ""), rows, self.mine, happened, tuple(self.choices))

    def _lock(self) -> None:
        if not self.mine:
            return
        self.locked = True
        keep(self, Home.from_environment())
        if self._radio:
            self._radio.refresh()


def predict(question: str, mine: str = "", **choices: str) -> Prediction:
    """Ask a question: `predict("How many?", a="one", b="two", mine="")`. Raises LabError.

    In JupyterLab an earlier answer to the same question is remembered.
    """
    if mine not in ("", *choices):
        raise LabError(f"mine={mine!r} is not one of {', '.join(choices)}. Write one of these letters.")
    home = Home.from_environment()
    made = Prediction(question, choices, mine)
    if mine:
        keep(made, home)
    elif widgets.drawn():
        known = kept(home).get(question, {})
        if choices.get(known.get("mine", "")) == known.get("choice", ""):
            made.mine, made.locked = known["mine"], bool(known.get("seen"))
    return made


def keep(made: Prediction, home: Home) -> None:
    """Add an answer to the file of predictions; the last answer to a question counts."""
    known = kept(home)
    known[made.question] = {
        "mine": made.mine,
        "choice": made.choices[made.mine],
        "seen": made.locked,
        "when": time.strftime("%F %T"),
    }
    _write(home, known)
    sharing.in_background(home)


def kept(home: Home) -> dict[str, dict[str, Any]]:
    """Return all answers so far, by question."""
    try:
        found = json.loads((home.root / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def forget(home: Home, questions: Iterable[str]) -> None:
    """Remove the answers to these questions."""
    known, gone = kept(home), {*questions}
    if gone & known.keys():
        _write(home, {question: answer for question, answer in known.items() if question not in gone})


def _write(home: Home, known: dict[str, dict[str, Any]]) -> None:
    file = home.root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(known, indent=1, ensure_ascii=False), encoding="utf-8")
    new.replace(file)
