"""The board: times of passes, who is stuck, frequent failures, and bounds."""

import json

import pytest

from lab.classroom.board import Board, Person
from lab.classroom.questions import questions
from lab.classroom.snapshot import Failure, Guess, LabState, Snapshot

QUESTION = next(iter(questions().values()))


def snapshot(*, failures: tuple[Failure, ...] = (), guess: str = "", **steps: str) -> Snapshot:
    made = {"01": LabState({name[1:]: outcome for name, outcome in steps.items()}, failures=failures)}
    return Snapshot(made, {QUESTION.text: Guess(guess, guess == "a")} if guess else {})


def board(*names: str, most: int = 10) -> Board:
    made = Board(most)
    for name in names:
        assert made.add(name, name, 0)
    return made


def test_a_pass_keeps_its_first_time() -> None:
    made = board("ada")
    made.put("ada", snapshot(s1="fail", s2="not attempted"), 100)
    made.put("ada", snapshot(s1="pass", s2="fail"), 200)
    made.put("ada", snapshot(s1="pass", s2="pass"), 300)
    made.put("ada", snapshot(s1="fail", s2="pass"), 400)
    assert made.passes() == [200, 300]
    assert made.steps() == [("01", 1), ("01", 2)]
    made.put("ada", snapshot(s1="not attempted", s2="not attempted"), 500)
    assert made.steps() == []


def test_who_is_stuck_and_since_when() -> None:
    made = board("ada")
    ada = made.people["ada"]
    for moment, outcome in ((100, "fail"), (200, "fail"), (300, "pass"), (400, "fail")):
        made.put("ada", snapshot(s1=outcome, s2="fail" if moment == 400 else "not attempted"), moment)
        wanted = {100: 100, 200: 100, 300: None, 400: 400}[moment]
        assert (ada.stuck[1] if ada.stuck else None) == wanted
    assert ada.stuck == (("01", 1), 400)


def test_frequent_failures_come_with_their_messages() -> None:
    made = board("ada", "bob", "eve")
    for name, message in (("ada", "empty"), ("bob", "empty"), ("eve", "full")):
        failure = Failure("test_put_leaves_the_rest", 4, "PUT leaves the rest", message)
        made.put(name, snapshot(s4="fail", failures=(failure, failure)), 1)
    other = Failure("test_delete", 4, "Delete", "x")
    made.put("eve", snapshot(s4="fail", failures=(failure, other)), 2)
    first, second = made.troubles()
    assert (first.people, first.check) == (3, "test_put_leaves_the_rest")
    assert first.messages == (("empty", 2), ("full", 1))
    assert (second.people, second.step) == (1, ("01", 4))


def test_predictions_are_counted_by_choice() -> None:
    made = board("ada", "bob", "eve", "dan")
    for name, letter in (("ada", "a"), ("bob", "a"), ("eve", "c")):
        made.put(name, snapshot(guess=letter), 1)
    (answers,) = made.answers()
    assert answers.counts == {"a": 2, "b": 0, "c": 1}
    assert (answers.total, answers.seen) == (3, 2)


def test_the_board_is_bounded_and_makes_room_for_those_who_send() -> None:
    made = board("ada", "bob", most=2)
    made.put("bob", snapshot(s1="pass"), 5)
    assert made.add("eve", "eve", 6)
    assert {*made.people} == {"bob", "eve"}
    made.put("eve", snapshot(s1="pass"), 7)
    assert not made.add("dan", "dan", 8)


def test_two_of_one_name_can_be_told_apart() -> None:
    made = Board()
    for person in ("1", "2", "3"):
        made.add(person, "Ada", 0)
    assert [known.name for known in made.people.values()] == ["Ada", "Ada (2)", "Ada (3)"]


def test_the_board_comes_back_from_json() -> None:
    made = board("ada")
    made.put("ada", snapshot(s1="pass", s2="fail", guess="a"), 5)
    again = Board.from_dict(json.loads(json.dumps(made.as_dict())))
    assert again.people == made.people
    with pytest.raises((ValueError, KeyError, TypeError)):
        Board.from_dict({"1": {"name": "x"}})


def test_a_person_who_has_sent_nothing_is_not_stuck() -> None:
    assert Person("ada", 0).stuck is None
