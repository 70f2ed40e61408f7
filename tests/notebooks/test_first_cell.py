"""The first cell of a notebook when something is missing: one sentence with the command to type."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from grading.system import stopped
from nbclient import NotebookClient
from support import pid_of

from lab.deadlines import slow
from lab.home import REPO
from lab.jupyter.kernel import NAME, ensure_kernel
from lab.notebook.texts import cells, texts

pytestmark = pytest.mark.live


def first_cell(**env: str) -> dict[str, Any]:
    """Return what the first code cell of the tour prints, as JupyterLab would show it."""
    ensure_kernel()
    made = cells(texts()[0])
    made.cells = [cell for cell in made.cells if cell.cell_type == "code"][:1]
    client = NotebookClient(made, kernel_name=NAME, timeout=int(120 * slow()), allow_errors=True)
    client.execute(env={**os.environ, **env})
    output: dict[str, Any] = made.cells[0].outputs[-1]
    return output


def test_the_system_is_down(tmp_path: Path) -> None:
    said = first_cell(LAB_HOME=str(tmp_path))
    assert said["output_type"] == "error"
    assert said["traceback"] == ["The system is not running: start it in a terminal with ./lab up"]


def test_what_is_wrong_before_the_system_is_asked_is_one_line_as_well() -> None:
    said = first_cell(LAB_BACKEND="podman")
    assert said["output_type"] == "error"
    assert len(said["traceback"]) == 1
    assert said["traceback"][0].startswith("LAB_BACKEND=podman is not a backend")


@pytest.mark.fault
@pytest.mark.thorough
def test_a_unit_is_down() -> None:
    with stopped("redis"):
        said = first_cell()
        assert said["output_type"] == "error"
        assert said["traceback"] == ["redis is stopped: start it in a terminal with ./lab restart redis"]
        subprocess.run([REPO / "lab", "restart", "redis"], check=True, capture_output=True, timeout=180)
        assert pid_of("redis")
