"""A notebook played in JupyterLab's container, with somebody at a terminal outside."""

import subprocess

from compose.stack import Stack

from lab.home import REPO

RUN_IT = """
import sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[1], as_version=4).cells:
    if cell.cell_type == "code" and not shell.run_cell(cell.source).success:
        sys.exit("this cell failed: " + cell.source)
"""
ASKED = "type:  "
"""Stands before what a person is asked to type in a terminal."""


def played(stack: Stack, name: str) -> int:
    """Run all cells, and type what is asked for; how often that was. Fails when a cell does."""
    inside = ["docker", "compose", "exec", "-T", "jupyterlab", "python", "-u", "-c", RUN_IT]
    with subprocess.Popen(
        [*inside, f"notebooks/{name}.ipynb"], cwd=REPO, env=stack.environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if ASKED in line:
                stack.run(*line.partition(ASKED)[2].split())
    assert process.returncode == 0, "".join(said[-60:])
    return sum(ASKED in line for line in said)
