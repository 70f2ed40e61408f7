"""A question that nobody can answer changes nothing, and names the option that answers it."""

import os
import subprocess
from pathlib import Path

import pytest

from lab.home import REPO

QUESTIONS = {
    "reset": "--yes",
    "reset 01": "--yes",
    "reset 00 --notebook": "--yes",
    "submit": "--name NAME",
}


@pytest.mark.parametrize("stdin", ["<&-", "</dev/null"])
@pytest.mark.parametrize("command", QUESTIONS)
def test_without_an_answer(command: str, stdin: str, tmp_path: Path) -> None:
    env = dict(os.environ) | {"LAB_HOME": str(tmp_path), "LAB_BACKEND": "native"}
    ran = subprocess.run(
        f"'{REPO / 'lab'}' {command} {stdin}",
        shell=True, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    said = " ".join(ran.stdout.split())
    assert f"nothing was changed. Answer it in the command: {QUESTIONS[command]}" in said, said
    assert not (tmp_path / "errors.log").exists(), "the error is expected"


def test_a_no_is_an_answer(tmp_path: Path) -> None:
    """A script may answer by a pipe."""
    env = dict(os.environ) | {"LAB_HOME": str(tmp_path), "LAB_BACKEND": "native"}
    ran = subprocess.run(
        [REPO / "lab", "reset"], input="n\n", env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "is deleted" not in ran.stdout
