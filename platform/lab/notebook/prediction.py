"""Predictions: say what will happen, then look, then see both side by side.

The answer stands in the cell (`mine="b"`), so a notebook keeps it, runs without anybody at the
keyboard, and never waits. It is kept in the lab's home as well, for the instructor's talk.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError
from lab.home import Home
from lab.notebook.picture import Table

FILE = "predictions.json"


@dataclass(frozen=True)
class Prediction:
    """A question with its choices by letter; `mine` is '' until the learner chose."""

    question: str
    choices: dict[str, str]
    mine: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self._table()._repr_mimebundle_()

    def _table(self) -> Table:
        said = {self.mine: "your answer"}
        rows = [(letter, text, said.get(letter, "")) for letter, text in self.choices.items()]
        stop = "" if self.question.endswith("?") else "."
        ask = "" if self.mine else f'{stop} Write a letter into mine="" and run this cell, then the next.'
        return Table(self.question + ask, ("", "choice", ""), rows)

    def compare(self, saw: str = "", **came: bool) -> Table:
        """The answer beside what happened: for each choice whether it came, and what was seen in short.

        `guess.compare(saw="12 ms", a=ms < 1, b=1 <= ms < 100, c=ms >= 100)`. Raises LabError for other
        letters than those of the choices.
        """
        if set(came) != set(self.choices):
            raise LabError(f"Say of each choice ({', '.join(self.choices)}) whether it came.")
        happened = [letter for letter in self.choices if came[letter]]
        mine = f"{self.mine}: {self.choices[self.mine]}" if self.mine else "no answer yet"
        word = "as you said" if self.mine in happened else "a surprise worth a thought" if self.mine else ""
        told = "; ".join(f"{letter}: {self.choices[letter]}" for letter in happened) or "none of these"
        rows = [("you said", mine), ("what happened", told)]
        rows += [("seen", saw)] if saw else []
        rows += [("so it was", word)] if word else []
        return Table(self.question, ("", ""), rows)


def predict(question: str, mine: str = "", **choices: str) -> Prediction:
    """Ask before doing: `predict("How many?", a="one", b="two", mine="b")`. Raises LabError."""
    if mine not in ("", *choices):
        raise LabError(f"mine={mine!r} is not one of {', '.join(choices)}. Write one of these letters.")
    made = Prediction(question, choices, mine)
    if mine:
        keep(made, Home.from_environment())
    return made


def keep(made: Prediction, home: Home) -> None:
    """Add an answer to the file of predictions; the last answer to a question counts."""
    known = kept(home)
    known[made.question] = {
        "mine": made.mine,
        "choice": made.choices[made.mine],
        "when": time.strftime("%F %T"),
    }
    _write(home, known)


def kept(home: Home) -> dict[str, dict[str, Any]]:
    """All answers so far, by question."""
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
