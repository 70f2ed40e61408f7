"""The tables of demands agree with the checks and with the known wrong solutions."""

import pytest

from lab.course.demands import FOLDER, demands, table
from lab.course.exercise import Exercise, exercises
from lab.course.mutants import mutants

LABS = exercises()


@pytest.mark.parametrize("lab", LABS, ids=[lab.number for lab in LABS])
def test_table_is_up_to_date(lab: Exercise) -> None:
    written = (FOLDER / f"{lab.number}.md").read_text(encoding="utf-8")
    assert written == table(lab), "run: .venv/bin/python -m lab.course.demands (with PYTHONPATH=platform)"


@pytest.mark.parametrize("lab", LABS, ids=[lab.number for lab in LABS])
def test_each_demand_has_words(lab: Exercise) -> None:
    assert not [found.check for found in demands(lab) if not found.text]


def test_each_wrong_solution_belongs_to_a_demand() -> None:
    known = {(lab.number, found.check) for lab in LABS for found in demands(lab)}
    assert not [m.name for m in mutants() if m.check and (m.lab.number, m.check) not in known]
