"""With all labs started and nothing written, the system behaves like the reference."""

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


@pytest.fixture
def all_started() -> Iterator[None]:
    with ExitStack() as stack:
        for lab in exercises():
            stack.enter_context(instead(home, backend, lab, solved=False))
            running.use(home, backend, lab, running.files_of(lab))
        yield


def test_the_live_tests_pass(all_started: None, tmp_path: Path) -> None:
    for lab in exercises():
        assert running.is_active(home, lab)
        assert steps.own_code(lab, running.running_files(home, lab)) == []
    # A check judges the learner's code, so it says "not attempted" here, where the reference passes.
    checked = "--deselect=tests/live/test_commands_as_shown.py::test_runs[lab check 03]"
    command = [
        *environment.pytest_command(), "-v", "-m", "not campaign", checked, str(REPO / "tests" / "live"),
    ]  # fmt: skip
    # A file, because this run takes many minutes: when somebody ends it, the names so far are in there.
    log = tmp_path / "live.log"
    with log.open("w") as out:
        done = subprocess.run(
            command, cwd=REPO, env=environment.own(), stdout=out, stderr=subprocess.STDOUT, check=False
        )
    said = log.read_text()
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert done.returncode == 0, "\n".join([str(log), *failed, said[-6000:]])
