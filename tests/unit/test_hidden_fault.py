"""The hidden fault: its name stays secret until it is found, and it is one that can be found."""

import json
from pathlib import Path
from random import Random

import pytest

from civildiy.operations import diagnosis
from lab.errors import LabError
from lab.faults import break_, hidden
from lab.faults.catalog import Fault, fault
from lab.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(hidden, "_send_requests", lambda seconds: None)
    return Home(tmp_path)


def broken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Note what is broken in place of breaking it."""
    found: list[tuple[str, str]] = []

    def start(home: Home, backend: object, fault_: Fault, unit: str, seconds: float) -> None:
        found.append((unit, fault_.name))

    monkeypatch.setattr(break_, "start", start)
    return found


def test_only_the_right_answer_is_right(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    done = broken(monkeypatch)
    there = hidden.start(home, None, 60)  # type: ignore[arg-type]
    answers = [(unit, kind) for kind, unit in hidden.CASES]
    assert [answer for answer in answers if there.is_named_by(*answer)] == done
    assert not there.is_named_by(*reversed(done[0]))


def test_the_same_chance_breaks_the_same_thing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    done = broken(monkeypatch)
    monkeypatch.setattr(hidden, "ROUNDS", 1)
    for seed in (*range(40), *range(40)):
        hidden.start(home, None, 60, Random(seed))  # type: ignore[arg-type]
        hidden.ended(home)
    assert done[:40] == done[40:]
    assert {*done} == {(unit, kind) for kind, unit in hidden.CASES}, "each case has its turn"


def test_the_file_names_neither_unit_nor_kind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ((unit, kind),) = (broken(monkeypatch), hidden.start(home, None, 60))[0]  # type: ignore[arg-type]
    text = (home.root / "hidden-fault.json").read_text()
    assert unit not in text
    assert kind not in text
    assert {*json.loads(text)} == {"salt", "digest", "until"}


def test_one_at_a_time_until_it_has_ended(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    first = hidden.start(home, None, 60)  # type: ignore[arg-type]
    with pytest.raises(LabError, match="active already"):
        hidden.start(home, None, 60)  # type: ignore[arg-type]
    hidden.ended(home)
    there = hidden.current(home)
    assert there is not None
    assert not there.active
    assert there.digest == first.digest, "an answer that comes later is still compared"
    hidden.start(home, None, 60)  # type: ignore[arg-type]


def test_a_fault_whose_name_was_told_is_not_compared(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check names its own fault in its message: written down, it would be a right answer for ever."""
    broken(monkeypatch)
    hidden.start(home, None, 60)  # type: ignore[arg-type]
    hidden.forget(home)
    assert hidden.current(home) is None
    hidden.forget(home)


def test_an_error_does_not_name_the_fault(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*words: object) -> None:
        raise LabError("redis is not running, so pause cannot be injected.")

    monkeypatch.setattr(break_, "start", fails)
    with pytest.raises(LabError) as refused:
        hidden.start(home, None, 60)  # type: ignore[arg-type]
    assert "redis" not in str(refused.value)
    assert hidden.current(home) is None


@pytest.mark.parametrize(("kind", "unit"), hidden.CASES)
def test_each_case_is_possible_and_listed(kind: str, unit: str) -> None:
    assert unit in fault(kind).units
    assert fault(kind).lasts
    listed = " ".join((diagnosis.diagnose.__doc__ or "").split())
    part = listed.partition(f"{kind}: ")[2].partition(":")[0]
    assert unit in part


SEEN: dict[tuple[str, str], dict[str, float | None]] = {
    ("posts-relay", "pause"): {'up{job="posts-relay"}': 0.0},
    ("feed-projector", "pause"): {'up{job="feed-projector"}': 0.0},
    ("redis", "pause"): {"feed_view_entries": None, "feed_lag_events": None},
    ("kafka", "pause"): {"feed_lag_events": None},
    ("mongodb", "slow"): {diagnosis.WRITES: 0.3},
    ("redis", "slow"): {diagnosis.READS: 0.3},
    ("", ""): {},
}  # fmt: skip


@pytest.mark.parametrize("answer", SEEN, ids=" ".join)
def test_diagnosis_follows_the_metrics(answer: tuple[str, str]) -> None:
    def ask(query: str) -> float | None:
        changed = SEEN[answer]
        return next(
            (value for part, value in changed.items() if part in query), 0.004 if "/" in query else 1.0
        )

    assert diagnosis.diagnose(ask) == answer


@pytest.mark.parametrize(("reads", "writes", "found"), [
    (0.001, 0.01, ("", "")),
    (0.15, 0.01, ("redis", "slow")),
    (0.2, 0.4, ("redis", "slow")),  # on a busy machine: a write has always been slower than a read
    (0.001, 0.3, ("mongodb", "slow")),
    (0.06, 0.8, ("mongodb", "slow")),
])  # fmt: skip
def test_a_slow_store_is_found_on_a_busy_machine(reads: float, writes: float, found: tuple[str, str]) -> None:
    means = {diagnosis.READS: reads, diagnosis.WRITES: writes}

    def ask(query: str) -> float:
        return next((mean for who, mean in means.items() if who in query), 1.0)

    assert diagnosis.diagnose(ask) == found
