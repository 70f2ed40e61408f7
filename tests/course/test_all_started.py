"""With all labs started and nothing written, the system behaves like the reference."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

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


def test_the_live_tests_pass(all_started: None) -> None:
    for lab in exercises():
        assert running.is_active(home, lab)
        assert steps.own_code(lab, running.running_files(home, lab)) == []
    # A check judges the learner's code, so it says "not attempted" here, where the reference passes.
    checked = "--deselect=tests/live/test_commands_as_shown.py::test_runs[lab check 03]"
    command = [
        *environment.pytest_command(), "-q", "-m", "not campaign", checked, str(REPO / "tests" / "live"),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=REPO, env=environment.own(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
