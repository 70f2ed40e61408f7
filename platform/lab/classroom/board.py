"""Where everybody in a class is: one entry for each person, with the times at which steps were passed."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lab.classroom.questions import questions
from lab.classroom.snapshot import Snapshot, cleaned, name_of

MOST_PEOPLE = 200
Step = tuple[str, int]
"""The number of a lab, and the number of a step in it."""


@dataclass
class Person:
    """One person. Times are in Unix seconds, by the clock of the collector."""

    name: str
    joined: float
    heard: float = 0.0
    snapshot: Snapshot = field(default_factory=Snapshot)
    passed: dict[Step, float] = field(default_factory=dict)
    failing: dict[Step, float] = field(default_factory=dict)

    def outcome(self, step: Step) -> str:
        """Return the outcome of a step; '' when it was never checked."""
        state = self.snapshot.labs.get(step[0])
        return state.steps.get(str(step[1]), "") if state else ""

    @property
    def stuck(self) -> tuple[Step, float] | None:
        """The step that fails for the longest time, and since when; None when none fails."""
        return min(self.failing.items(), key=lambda found: found[1], default=None)


@dataclass(frozen=True)
class Trouble:
    """A check that fails for some people now: how many, and its messages with their numbers."""

    step: Step
    check: str
    title: str
    people: int
    messages: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Answers:
    """A question, the number of people for each choice, and how many have seen the outcome."""

    lesson: str
    question: str
    choices: dict[str, str]
    counts: dict[str, int]
    seen: int

    @property
    def total(self) -> int:
        """How many people have answered."""
        return sum(self.counts.values())


class Board:
    """All people by an id. At most `most` fit, so the memory is bounded whatever is sent."""

    def __init__(self, most: int = MOST_PEOPLE) -> None:
        self.people: dict[str, Person] = {}
        self.most = most

    def add(self, person: str, name: str, now: float) -> bool:
        """Add a person; return False when the board is full. A second person of a name gets a number."""
        if len(self.people) >= self.most and not self._make_room():
            return False
        taken = {known.name for known in self.people.values()}
        names = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
        self.people[person] = Person(next(each for each in names if each not in taken), now)
        return True

    def _make_room(self) -> bool:
        """Remove the person who joined first among those who have never sent anything."""
        idle = [(known.joined, person) for person, known in self.people.items() if not known.heard]
        if idle:
            del self.people[min(idle)[1]]
        return bool(idle)

    def put(self, person: str, snapshot: Snapshot, now: float) -> None:
        """Store what a person shares. Raises KeyError for an unknown one."""
        known = self.people[person]
        outcomes = {
            (number, int(step)): outcome
            for number, lab in snapshot.labs.items()
            for step, outcome in lab.steps.items()
        }
        known.snapshot, known.heard = snapshot, now
        for step, outcome in outcomes.items():
            if outcome == "pass":
                known.passed.setdefault(step, now)
        failing = [step for step, outcome in outcomes.items() if outcome == "fail"]
        known.failing = {step: known.failing.get(step, now) for step in failing}

    def steps(self) -> list[Step]:
        """Return all steps of the labs for which anybody has written code, in their order."""
        found = {
            (number, int(step))
            for person in self.people.values()
            for number, lab in person.snapshot.labs.items()
            for step in lab.steps
            if {*lab.steps.values()} != {"not attempted"}
        }
        return sorted(found)

    def passes(self) -> list[float]:
        """Return the times of all passes, earliest first."""
        return sorted(moment for person in self.people.values() for moment in person.passed.values())

    def troubles(self, most: int = 10) -> list[Trouble]:
        """Return the checks that fail for the most people now."""
        found: dict[tuple[Step, str], list[tuple[str, str]]] = defaultdict(list)
        for person in self.people.values():
            for number, lab in person.snapshot.labs.items():
                for failure in {each.check: each for each in lab.failures}.values():
                    place = ((number, failure.step), failure.check)
                    found[place].append((failure.title, failure.message))
        listed = [
            Trouble(step, check, _usual(title for title, _ in said), len(said),
                    tuple(Counter(message for _, message in said if message).most_common(3)))
            for (step, check), said in found.items()
        ]  # fmt: skip
        return sorted(listed, key=lambda trouble: (-trouble.people, trouble.step, trouble.check))[:most]

    def answers(self) -> list[Answers]:
        """Return the questions that anybody has answered, in the order of the course."""
        found = []
        for text, asked in questions().items():
            letters = [
                p.snapshot.predictions[text] for p in self.people.values() if text in p.snapshot.predictions
            ]
            if letters:
                counts = Counter(guess.mine for guess in letters)
                numbers = {letter: counts[letter] for letter in asked.choices}
                seen = sum(guess.seen for guess in letters)
                found.append(Answers(asked.lesson, text, asked.choices, numbers, seen))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return everything in a form that JSON can hold."""
        return {
            key: {
                "name": person.name, "joined": person.joined, "heard": person.heard,
                "snapshot": person.snapshot.as_dict(),
                "passed": _times(person.passed), "failing": _times(person.failing),
            }
            for key, person in self.people.items()
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any], most: int = MOST_PEOPLE) -> "Board":
        """Return the board that `as_dict` has described. Raises ValueError, KeyError or TypeError."""
        board = cls(most)
        for key, known in data.items():
            board.people[str(key)] = Person(
                name_of(known["name"]), float(known["joined"]), float(known["heard"]),
                cleaned(known["snapshot"]), _steps(known["passed"]), _steps(known["failing"]),
            )  # fmt: skip
        return board


def _usual(texts: Iterable[str]) -> str:
    return Counter(texts).most_common(1)[0][0]


def _times(found: dict[Step, float]) -> dict[str, float]:
    return {f"{lab}.{step}": moment for (lab, step), moment in found.items()}


def _steps(found: dict[str, float]) -> dict[Step, float]:
    return {
        (key.partition(".")[0], int(key.partition(".")[2])): float(moment) for key, moment in found.items()
    }
