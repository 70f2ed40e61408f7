"""The committed starters are generated from the platform, and the mutants still apply to it."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.course.exercise import Exercise, Piece, exercises
from lab.course.mutants import mutants
from lab.course.starter import starter
from lab.home import REPO

EXAMPLE = re.compile(r"\bExample|>>>|\bsuch as\b|\bReturns\s+`")
PIECES = [(lab, piece) for lab in exercises() for piece in lab.pieces]


@pytest.mark.parametrize(("lab", "piece"), PIECES, ids=[piece.module for _, piece in PIECES])
def test_starter_is_generated(lab: Exercise, piece: Piece) -> None:
    # The committed file, because the folder may contain a learner's own work.
    name = piece.file.relative_to(REPO).as_posix()
    shown = subprocess.run(
        ["git", "show", f"HEAD:{name}"], cwd=REPO, capture_output=True, text=True, check=False
    )
    committed = shown.stdout if shown.returncode == 0 else piece.file.read_text()
    assert committed == starter(lab, piece)


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_each_step_has_work_and_hints(lab: Exercise) -> None:
    steps = set(range(1, len(lab.steps) + 1))
    assert {step for piece in lab.pieces for step in piece.left_out.values()} == steps
    assert {hint.step for hint in lab.hints} == steps
    for name in ("README.md", "instructor.md", "exercise.toml"):
        assert (lab.folder / name).exists()


ONE_CALL = {"read", "delete"}
"""Functions of lab 01 whose docstring is the one call that they make."""


@pytest.mark.parametrize(("lab", "piece"), PIECES, ids=[piece.module for _, piece in PIECES])
def test_each_open_function_shows_an_example(lab: Exercise, piece: Piece) -> None:
    """What goes in and what comes out can be seen without the platform's source."""
    functions = {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(piece.source.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    asked = {name.rpartition(".")[2] for name in piece.left_out} & functions.keys() - ONE_CALL
    assert not [name for name in asked if not EXAMPLE.search(functions[name])]


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_enough_mutants(lab: Exercise) -> None:
    mine = [mutant for mutant in mutants() if mutant.lab.number == lab.number]
    assert sum(bool(mutant.check) for mutant in mine) >= 6
    assert sum(not mutant.check for mutant in mine) >= 2


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_each_mutant_applies_to_the_platform(lab: Exercise, tmp_path: Path) -> None:
    for piece in lab.pieces:
        (tmp_path / piece.file.name).write_bytes(piece.source.read_bytes())
    # As `lab.course.mutants` applies it: git must not look for a repository above this folder.
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    for mutant in (mutant for mutant in mutants() if mutant.lab.number == lab.number):
        command = ["git", "apply", "--check", "-p1", str(mutant.patch)]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{mutant.name}: {done.stderr}"
