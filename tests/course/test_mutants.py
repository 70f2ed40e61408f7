"""Tests of the checks: each wrong solution fails its check, each right one passes."""

import os
import re
from collections.abc import Iterator, Sequence

import pytest
from grading.databases import postgresql
from support import backend, home

from lab.course.exercise import Exercise, exercises
from lab.course.mutants import Mutant, Stage, Stages, mutants
from lab.course.options import lacking
from lab.course.starter import starter
from lab.course.steps import judged_by
from lab.faults import hidden

ALL = mutants()
DAILY = (
    "01-services/answers-undocumented",
    "02-discovery/critical-too",
    "03-gateway/cleans-protected-only",
    "04-auth/algorithm-from-the-token",
    "05-databases/all-columns-written",
    "06-events/no-version",
    "07-feeds/no-expiry",
    "08-cqrs/one-get-per-item",
)
"""One quickly judged solution of each lab without an option; .ci/run runs these, the campaign the others."""
IDS = "pg_get_serial_sequence('users', 'id')"
RAISE_IDS = f"SELECT setval({IDS}, greatest(%s, nextval({IDS})))"
LABS = [lab.number for lab in exercises()]


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    found = Stages(home, backend)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def ids_go_on() -> Iterator[None]:
    """Restore the sequence of ids: one wrong solution drops the table of accounts, and ids would repeat."""
    with postgresql("auth") as connection:
        found = connection.execute("SELECT coalesce(max(id), 1) FROM users").fetchone()
    yield
    with postgresql("auth") as connection:
        connection.execute(RAISE_IDS, found)


def need_option(lab: Exercise) -> None:
    """Skip the test if the running system lacks the option that the lab needs."""
    if why := lacking(backend, lab):
        pytest.skip(why)


def cases() -> Sequence[object]:
    """Return all mutants by lab; those that are not for every day are a campaign."""
    daily = {lab.folder.name for lab in exercises() if not lab.option}
    assert {name.partition("/")[0] for name in DAILY} == daily
    marks = {True: pytest.mark.thorough, False: pytest.mark.campaign}
    return [pytest.param(m, marks=[marks[m.name in DAILY]], id=m.name) for m in ALL]


@pytest.mark.parametrize("mutant", cases())
def test_mutant(stages: Stages, mutant: Mutant, capsys: pytest.CaptureFixture[str]) -> None:
    need_option(mutant.lab)
    stage = stages.of(mutant.lab)
    stage.play(mutant)
    hidden.forget(home)  # the name of a fault that somebody searched for before would still be an answer
    # A wrong solution runs only the check that should catch it, a right one all checks.
    code, verdicts = stage.grade(only=mutant.check)
    with capsys.disabled():
        print(
            f"\n{mutant.name:<40}",
            *(f"{v['check']}: {v['outcome']}" for v in verdicts if v["outcome"] != "pass"),
        )
    step = judged_by(mutant.lab, mutant.check)
    if not mutant.check:
        assert code == 0, [v for v in verdicts if v["outcome"] != "pass"]
        return
    caught = [v for v in verdicts if v["check"].partition("[")[0] == mutant.check and v["outcome"] == "fail"]
    assert caught, [(v["check"], v["outcome"], v["lines"]) for v in verdicts]
    assert {v["step"] for v in caught} == {step} <= {*range(1, len(mutant.lab.steps) + 1)}
    # Observed values vary with ids and times; all other text is stored and compared.
    words = "".join(
        f"{label}: {said}\n" for label, said in caught[0]["lines"] if label in ("did", "expected", "means")
    )
    if os.environ.get("LAB_KEEP_WORDING"):
        mutant.wording.write_text(lasting(words))
    assert lasting(mutant.wording.read_text()) == lasting(words)


def lasting(words: str) -> str:
    """Remove what varies from run to run: deadlines (LAB_SLOW changes them), addresses, offsets, ids."""
    words = re.sub(r"\d+\.\d+\.\d+\.\d+:\d+", "HOST:PORT", words)
    words = re.sub(r"\b(probe|issuer-|audience-|key-)-?[0-9a-f]{5,}", r"\1N", words)
    words = re.sub(r"within [\d.]+ s", "within N s", words)
    words = re.sub(r"offset \d+", "offset N", words)
    words = re.sub(r"\d+ times while", "N times while", words)
    return re.sub(r"\d{6,}|[0-9a-f]{24}", "N", words)


SINGLE = [(lab, step) for lab in exercises() for step in range(1, len(lab.steps) + 1)]
DAILY_STEPS = {("01", 4), ("02", 4), ("04", 3), ("08", 2)}
"""Quickly judged solutions. .ci/run runs these, and the campaign all others."""


@pytest.fixture
def merged(stages: Stages, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Provide a stage that merges files with the platform's, as it does a learner's."""
    stages.close()
    lab: Exercise = request.node.callspec.params["lab"]
    need_option(lab)
    found = Stage(home, backend, lab, merged=True)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("lab", "step"),
    [
        pytest.param(
            lab, step, id=f"{lab.number}-{step}",
            marks=[pytest.mark.thorough if (lab.number, step) in DAILY_STEPS else pytest.mark.campaign],
        )
        for lab, step in SINGLE
    ],
)  # fmt: skip
def test_one_step_passes_alone(merged: Stage, lab: Exercise, step: int) -> None:
    merged.step(step)
    code, verdicts = merged.grade()
    outcomes = {(v["step"], v["outcome"]) for v in verdicts}
    wanted = {(n, "pass" if n == step else "not attempted") for n in range(1, len(lab.steps) + 1)}
    assert outcomes == wanted, [(v["check"], v["outcome"], v["lines"]) for v in verdicts if v["step"] == step]
    assert code == (3 if len(lab.steps) > 1 else 0)


@pytest.mark.parametrize("lab", exercises(), ids=LABS)
@pytest.mark.thorough
def test_starter_is_not_attempted(merged: Stage, lab: Exercise) -> None:
    for piece in lab.pieces:
        (merged.folder / piece.file.name).write_text(starter(lab, piece))
    code, verdicts = merged.grade()
    assert code == 3
    assert {v["outcome"] for v in verdicts} == {"not attempted"}
