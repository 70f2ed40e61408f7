"""With all labs started and nothing written, the system behaves like the reference.

Each file of live tests is a test here, so that a part of this long run can be repeated:
`pytest -m "" tests/course/test_all_started.py -k test_relay`.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import backend, home

from lab import environment
from lab.course import running, steps
from lab.course.exercise import exercises
from lab.home import REPO
from lab.notebook.reference import instead

pytestmark = [pytest.mark.campaign, pytest.mark.live]

FILES = sorted((REPO / "tests" / "live").glob("test_*.py"))
# A check judges the learner's code, so it says "not attempted" here, where the reference passes.
CHECKED = "--deselect=tests/live/test_commands_as_shown.py::test_runs[lab check "
"""The beginning of the names of these tests, because a text may show the check of another lab tomorrow."""


@pytest.fixture(scope="module")
def starters() -> Iterator[None]:
    """Give all labs their starters."""
    with ExitStack() as stack:
        for lab in exercises():
            stack.enter_context(instead(home, backend, lab, solved=False))
        yield


@pytest.fixture
def all_started(starters: None) -> None:
    """Start all labs; a live test may have stopped one."""
    for lab in exercises():
        if not running.is_active(home, lab):
            running.use(home, backend, lab, running.files_of(lab))
        assert steps.own_code(lab, running.running_files(home, lab)) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_live_tests_pass(
    all_started: None, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*environment.pytest_command(), "-v", "-m", "not campaign", CHECKED, str(file)]
    # A file, because this run takes many minutes: when somebody ends it, the names so far are in there.
    log = tmp_path / "live.log"
    with log.open("w") as out:
        done = subprocess.run(
            command, cwd=REPO, env=environment.own(), stdout=out, stderr=subprocess.STDOUT, check=False
        )
    said = log.read_text()
    with capsys.disabled():
        print(f" {file.stem}: {said.splitlines()[-1].strip('= ')} ", end="")
    if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        assert re.search(r"collected (\d+) items? / \1 deselected", said), said  # all belong to the campaign
        return
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert done.returncode == 0, "\n".join([str(log), *failed, said[-6000:]])
