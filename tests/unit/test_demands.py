"""The tables of demands agree with the checks and with the known wrong solutions."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

from civildiy.course_runtime.scope import shape
from civildiy.course_runtime.starter import names
from lab.course.demands import FOLDER, demands, read_by_learners, sentences, table
from lab.course.exercise import Exercise, exercises
from lab.course.mutants import Mutant, mutants
from lab.course.steps import judged_by

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


@pytest.mark.parametrize("lab", LABS, ids=[lab.number for lab in LABS])
def test_each_sentence_is_read_by_learners(lab: Exercise) -> None:
    text = read_by_learners(lab)
    assert not [found.text for found in sentences(lab) if found.text not in text]


@pytest.mark.parametrize("lab", LABS, ids=[lab.number for lab in LABS])
def test_each_sentence_is_violated_by_wrong_solutions_of_its_steps(lab: Exercise) -> None:
    wrong = {
        m.patch.stem: judged_by(lab, m.check) for m in mutants() if m.lab.number == lab.number and m.check
    }
    for found in sentences(lab):
        assert found.violated, found.text
        elsewhere = {name: wrong.get(name) for name in found.violated if wrong.get(name) not in found.steps}
        assert not elsewhere, (found.text, elsewhere)


@pytest.mark.parametrize("lab", LABS, ids=[lab.number for lab in LABS])
def test_each_wrong_solution_violates_a_sentence(lab: Exercise) -> None:
    listed = {name for found in sentences(lab) for name in found.violated}
    wrong = {m.patch.stem for m in mutants() if m.lab.number == lab.number and m.check}
    assert not listed or wrong <= listed, "add them to sentences.toml"


@pytest.mark.parametrize("lab", [lab for lab in LABS if sentences(lab)], ids=lambda lab: lab.number)
def test_each_wrong_solution_is_judged_in_the_step_that_it_changes(lab: Exercise, tmp_path: Path) -> None:
    elsewhere = []
    for mutant in mutants():
        if mutant.lab.number != lab.number or not mutant.check:
            continue
        changed = _changed_steps(lab, mutant, tmp_path)
        # No step: it changes a part that is given.
        if changed and judged_by(lab, mutant.check) not in changed:
            elsewhere.append((mutant.name, mutant.check, changed))
    assert not elsewhere


def _changed_steps(lab: Exercise, mutant: Mutant, folder: Path) -> set[int]:
    for piece in lab.pieces:
        (folder / piece.file.name).write_bytes(piece.source.read_bytes())
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", f"-p{mutant.depth}", str(mutant.patch)]
    subprocess.run(command, cwd=folder, env=env, check=True)
    steps = set()
    for piece in lab.pieces:
        before = dict(names(ast.parse(piece.source.read_text())))
        after = dict(names(ast.parse((folder / piece.file.name).read_text())))
        for name, step in piece.left_out.items():
            if name not in after or shape(before[name]) != shape(after[name]):
                steps.add(step)
    return steps
