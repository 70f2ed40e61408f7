"""A run that ends at its first failure begins with the checks that stop no part of the system."""

import json
import re
import subprocess
from pathlib import Path

from lab import environment
from lab.course import running
from lab.course.exercise import CHECKS
from lab.course.grading import QUICK

LESSON = CHECKS / "test_02_discovery.py"
SLOW = re.compile(r"@pytest.mark.disturbs\n(?:@.*\n)*def (test_\w+)")
DISTURBING = {
    name for file in (CHECKS / "lab02_discovery").glob("*.py") for name in SLOW.findall(file.read_text())
}


def order(file: Path, *options: str) -> list[str]:
    """Return the names of lab 02's checks in the order in which they run."""
    command = [
        *environment.pytest_command(),
        f"--confcutdir={CHECKS}",
        "-q",
        "-o",
        f"cache_dir={file.parent}",
    ]
    env = environment.own() | running.NO_PLUGINS
    subprocess.run(
        [*command, f"--list-checks={file}", *options, str(LESSON)], env=env, check=False, capture_output=True
    )
    return [check["check"] for check in json.loads(file.read_text())]


def test_disturbing_checks_come_last_where_the_first_failure_ends_the_run(tmp_path: Path) -> None:
    usual, quick = order(tmp_path / "usual.json"), order(tmp_path / "quick.json", *QUICK)
    assert len(DISTURBING) > 3
    assert quick == sorted(usual, key=lambda name: name in DISTURBING)
    assert quick != usual
