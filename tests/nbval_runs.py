"""One run of nbval over one notebook."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.deadlines import slow
from lab.home import REPO
from lab.jupyter.kernel import NAME, ensure_kernel
from lab.notebook.texts import CELL_SECONDS

HERE = Path(__file__).parent / "notebooks"


@dataclass(frozen=True)
class Run:
    """The result of nbval: its exit code, the cells by outcome, and its output."""

    code: int
    passed: int
    failed: list[int]
    words: str
    seconds: float


def nbval(notebook: Path) -> Run:
    """Run every cell in a kernel of its own and compare the checked ones with what is stored."""
    ensure_kernel()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [
        sys.executable, "-m", "pytest", "-c", str(HERE / "nbval.ini"), f"--rootdir={REPO}", "--nbval-lax",
        f"--nbval-kernel-name={NAME}", f"--nbval-cell-timeout={CELL_SECONDS * slow():g}", str(notebook),
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=REPO, env=env | {"PYTHONPATH": str(HERE)}, capture_output=True, text=True, check=False
    )
    words = done.stdout + done.stderr
    failed = sorted({int(n) for n in re.findall(r"^FAILED .*::Cell (\d+)", words, re.MULTILINE)})
    passed = re.search(r"(\d+) passed", words)
    seconds = time.monotonic() - began
    return Run(done.returncode, int(passed[1]) if passed else 0, failed, words, seconds)
