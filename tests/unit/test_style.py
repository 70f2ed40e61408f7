"""Lint, format and types are part of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


@pytest.mark.parametrize("tool", ["ruff check", "ruff format --check", "mypy"])
def test_tool_is_content(tool: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", *tool.split()], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


LONGEST_MODULE = 250
"""Lines. A longer module holds two subjects: split it."""


def test_modules_are_short() -> None:
    files = [file for root in ("platform", "checks", "tests") for file in (REPO / root).rglob("*.py")]
    lengths = {str(file.relative_to(REPO)): len(file.read_text("utf-8").splitlines()) for file in files}
    assert len(lengths) > 400
    assert not {name: length for name, length in lengths.items() if length > LONGEST_MODULE}
