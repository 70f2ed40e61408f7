"""A check that its lab's file does not list would never run, and no other test would notice."""

import ast

import pytest
from contents import listed

from lab.course.exercise import Exercise, exercises


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_each_check_is_listed_once(lab: Exercise) -> None:
    package = lab.checks.with_name(lab.checks.stem.replace("test_", "lab"))
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in package.glob("*.py")]
    functions = [node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert sorted(listed(lab.checks)) == sorted(name for name in functions if name.startswith("test_"))
