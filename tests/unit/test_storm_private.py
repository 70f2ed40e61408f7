"""The storm's verdict on private data."""

from storm_world import ANN, BOB, kinds

from lab.storm.history import History, Look, Outcome, Secret
from lab.storm.private import judge_private

A_FIRST, A_SECOND, B_FIRST = (f"secret of {user}: {n:016x}" for user, n in ((ANN, 1), (ANN, 2), (BOB, 3)))


def private(*looks: Look, outcome: Outcome = "done") -> set[str]:
    written = [
        Secret(0, 1, ANN, A_FIRST, "done"), Secret(0, 1, BOB, B_FIRST, "done"),
        Secret(5, 6, ANN, A_SECOND, outcome),
    ]  # fmt: skip
    return kinds(judge_private(History(secrets=written, looks=[*looks])))


def test_private_words_are_for_their_owner() -> None:
    assert private(Look(2, 3, ANN, 0, 200, A_FIRST), Look(2, 3, ANN, BOB, 200, A_FIRST)) == set()
    assert private(Look(2, 3, 0, ANN, 401, "no token"), Look(2, 3, BOB, 0, 503, "away")) == set()
    assert private(Look(2, 3, BOB, ANN, 200, A_FIRST)) == {"private"}
    assert private(Look(2, 3, 0, ANN, 200, A_FIRST)) == {"private"}
    assert private(Look(2, 3, 0, ANN, 200, "")) == {"private"}
    assert private(Look(2, 3, BOB, ANN, 500, f"cannot store {A_FIRST!r}")) == {"private"}


def test_private_words_are_the_last_ones() -> None:
    assert private(Look(7, 8, ANN, 0, 200, A_SECOND)) == set()
    assert private(Look(7, 8, ANN, 0, 200, A_FIRST)) == {"stale"}
    assert private(Look(2, 3, ANN, 0, 200, A_SECOND)) == {"stale"}
    assert private(Look(7, 8, ANN, 0, 200, "")) == {"stale"}
    for words in (A_FIRST, A_SECOND):
        assert private(Look(5.5, 5.6, ANN, 0, 200, words)) == set()
        assert private(Look(7, 8, ANN, 0, 200, words), outcome="unknown") == set()
    assert private(Look(7, 8, ANN, 0, 200, A_SECOND), outcome="refused") == {"stale"}
