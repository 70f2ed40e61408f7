"""Notebooks and checks that read one partition: on a system with six they refuse, and blame nobody's code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from partitioned import PARTITIONS

from lab.course.partitions import BACK_TO_ONE, ONE_PARTITION
from lab.course.running import NO_PLUGINS
from lab.errors import LabError
from lab.home import REPO
from lab.notebook import system

HAS = f"the topic posts-events has {PARTITIONS} partitions"


@pytest.mark.parametrize("number", ONE_PARTITION)
def test_a_check_is_not_gradable(number: str) -> None:
    ran = subprocess.run(
        [REPO / "lab", "check", number], capture_output=True, text=True, check=False, timeout=240
    )
    assert ran.returncode == 2, ran.stdout
    said = " ".join(ran.stdout.split())
    assert (
        f"NOT GRADABLE: {HAS}; the checks of labs 06 to 08 read one. To check this lab: ./lab reset" in said
    )


def test_so_is_each_check_that_pytest_runs(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | NO_PLUGINS
    file = tmp_path / "verdicts.json"
    checks = [f"checks/test_{number}" for number in ("06_events.py", "07_feeds.py", "08_cqrs.py")]
    command = [sys.executable, "-m", "pytest", "-q", f"--verdicts={file}", *checks]
    ran = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stdout
    verdicts = json.loads(file.read_text())
    assert {verdict["lab"] for verdict in verdicts} == {*ONE_PARTITION}
    for verdict in verdicts:
        said = dict(verdict["lines"])
        assert verdict["outcome"] == "not gradable", verdict
        assert said["why"].startswith(HAS)
        assert said["next"] == BACK_TO_ONE


def test_a_check_of_another_lab_works() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | NO_PLUGINS
    command = [sys.executable, "-m", "pytest", "-q", "checks/test_01_services.py"]
    ran = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_a_notebook_refuses_in_one_sentence() -> None:
    with pytest.raises(LabError) as refused:
        system.ready()
    assert str(refused.value).startswith(f"Not this system: {HAS}; the notebooks read one. To work")
