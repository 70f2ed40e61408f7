"""Before submissions are judged: what the kernel allows this user, and the sentences about it."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from class_submissions import archive

from lab.classroom import refusal, room, second_user, trial
from lab.classroom.class_check import ClassCheck
from lab.classroom.course_file import read
from lab.classroom.trial import Trial
from lab.errors import LabError
from lab.home import PLATFORM, REPO, Home
from lab.terminal import Console

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cells are Linux's")
NOBODY = 65534
EVERYBODYS = Path("/usr/bin/python3")
BEST = Trial("", second_user=True, landlock=7, groups=True)


def as_nobody(*before: str) -> dict[str, object]:
    """Return what the trial finds as another user without subordinate ids, after these words of a command."""
    env = {"PYTHONPATH": str(PLATFORM), "LAB_HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*before, *user, str(EVERYBODYS), "-P", "-m", "lab.classroom.trial"]
    done = subprocess.run(command, cwd="/", env=os.environ | env, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not EVERYBODYS.exists() or not (REPO / "lab").stat().st_mode & 0o005,
    reason="only root can become another user, who must be able to read the course",
)


@needs_root
def test_another_user_can_make_a_cell_but_has_no_second_user() -> None:
    found = as_nobody()
    assert (found["refusal"], found["second_user"], found["groups"]) == ("", False, False)


@needs_root
def test_a_container_that_hides_parts_of_proc_is_recognised() -> None:
    found = as_nobody("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc/sys && exec "$@"', "sh")
    assert "a container that hides parts of /proc" in str(found["refusal"])


def test_root_without_the_right_to_create_namespaces_is_told_why() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can lose this right")
    command = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", sys.executable, "-P", "-m"]
    done = subprocess.run(
        [*command, "lab.classroom.trial"], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(PLATFORM)},
    )  # fmt: skip
    assert "CAP_SYS_ADMIN" in json.loads(done.stdout)["refusal"]


@pytest.mark.parametrize(
    ("name", "value", "setting"), [(name, *values) for name, values in refusal.SETTINGS.items()]
)
def test_the_setting_that_forbids_it_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, setting: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(refusal, "_content", lambda file: value if str(file).endswith(name) else "")
    said = str(refusal.refused(OSError(errno.EPERM, "Operation not permitted", "unshare")))
    assert "No submission was started." in said
    assert f"sudo sysctl {setting}" in said


def test_the_first_sentence_says_whether_code_can_write_its_own_verdict() -> None:
    assert "cannot write its own verdict" in trial.sentences(BEST)[0]
    assert "uidmap" in trial.sentences(replace(BEST, second_user=False))[0]
    worst = " ".join(trial.sentences(Trial()))
    assert "no Landlock" in worst
    assert "measured four times a second" in worst


def test_ranges_of_subordinate_ids_are_found_by_name_and_by_number(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text(f"somebody:1:9\nbroken\n{os.getuid()}:70000:1\n{os.getuid()}:100000:65536\n")
    assert second_user._first(file, 1) == 70000
    assert second_user._first(file, 2) == 100000
    file.write_text("")
    assert second_user._first(file, 1) is None
    assert second_user._first(tmp_path / "none", 1) is None


def test_a_refusal_ends_the_command_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive(tmp_path / "a.zip", "Ada", {"01-services/api.py": b"x = 1"})
    monkeypatch.setattr(trial, "tried", lambda home: Trial("The kernel refuses a sandbox."))
    run = ClassCheck(Home(tmp_path / "home"), Console(), read(None), ("01",), tmp_path, tmp_path / "out")
    with pytest.raises(LabError, match="refuses a sandbox"):
        run.run(resume=False, seed=None)
    assert not (tmp_path / "out").exists()


def test_the_preflight_of_a_room_tells_it_and_calls_it_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(Path("/nonexistent"))
    monkeypatch.setattr(trial, "tried", lambda home: Trial("No.\nDo this."))
    assert room._judging(home).seen == "not possible here: No. Do this."
    assert room._judging(home).remedy == ""
    monkeypatch.setattr(trial, "tried", lambda home: BEST)
    assert "another user" in room._judging(home).seen
