"""The commands of the labs, as a learner types them."""

import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support import eventually, home, pid_of, until_healthy

from lab.course.exercise import exercise
from lab.course.record import Record
from lab.course.running import is_active
from lab.course.starter import starter
from lab.deadlines import slow
from lab.home import REPO

LAB = exercise("01")
CHECKS, POINTS = 29, 49
"""The checks of lab 01, a parametrized one for each of its cases, and their points."""
FILES = [piece.file for piece in LAB.pieces]


def lab(*words: str, code: int = 0) -> str:
    env = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(["./lab", *words], cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True, scope="module")
def learners_files() -> Iterator[None]:
    """Restore the learner's own files and progress afterwards."""
    kept = {file: file.read_bytes() for file in FILES}
    record = home.root / "progress.json"
    progress = record.read_bytes() if record.exists() else None
    record.unlink(missing_ok=True)
    running = is_active(home, LAB)
    yield
    for file, content in kept.items():
        file.write_bytes(content)
    record.write_bytes(progress) if progress is not None else record.unlink(missing_ok=True)
    lab("start" if running else "stop", "01")


@pytest.mark.thorough
def test_a_learners_way(tmp_path: Path) -> None:
    lab("reset", "01", "--yes")
    assert [file.read_text() for file in FILES] == [starter(LAB, piece) for piece in LAB.pieces]
    assert "profile runs labs/01-services/api.py" in lab("start", "01")
    assert "platform (started)" in lab("list")
    began = time.monotonic()
    seen = lab("check", "01", code=3)
    assert time.monotonic() - began < 8 * slow(), "the checks must not wait for a step without code"
    assert f"NOT ATTEMPTED: 0 of {CHECKS} checks" in seen
    assert "Step 1 Say that you are alive: /health\n  OPEN, 0 of 1 points, the platform's code" in seen
    first, second = lab("hint", "01"), lab("hint", "01")
    assert "Hint 1 of 4 for step 1 (Say that you are alive: /health):" in first
    assert "Hint 2 of 4 for step 1" in second
    assert "The first check that does not pass: While PostgreSQL is down or paused" in first
    assert "Not written yet: step 1, step 2, step 3, step 4, step 5." in first
    assert "Hint 1 of 4 for step 5" in lab("hint", "01", "--step", "5")
    assert "Hint 3 of 4 for step 1" in lab("hint", "01")
    assert "Hint 4 of 4 for step 1" in lab("hint", "01")
    assert "You have seen all 4 hints for step 1" in lab("hint", "01")
    assert "--give-up" in lab("solution", "01", code=1)
    assert "+    return Health" in lab("solution", "01", "--give-up")
    for piece in LAB.pieces:
        piece.file.write_bytes(piece.source.read_bytes())
    seen = lab("check", "01", "--seed=7")
    assert "checking 01 A service that can be trusted … (seed 7)" in seen
    assert f"PASS: {CHECKS} of {CHECKS} checks, {POINTS} of {POINTS} points, your code" in seen
    assert re.search(
        r"Step 5 Refuse what you do not know: the model\n  PASS, (\d+) of \1 points, your code", seen
    )
    assert seen.count("(test_delete)") == 1, "a verdict is shown once"
    assert "your step 1, 2, 3, 4, 5" in " ".join(lab("list").split())
    assert "1 Say that you are alive: /health" in lab("status")
    assert max(len(line) for line in seen.splitlines()) <= 80
    assert "your file equals the platform's" in lab("solution", "01")
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "junit", "html")}
    said = lab("report", *(word for kind, file in files.items() for word in (f"--{kind}", str(file))))
    assert f"pass {POINTS}/{POINTS}" in said
    assert "step 2 Say whether you can work: /ready: pass" in said
    assert json.loads(files["json"].read_text())["01"]["outcome"] == "pass"
    assert len(Xml.parse(files["junit"]).findall(".//testcase")) == CHECKS
    assert "Lab 01: pass" in files["html"].read_text()
    kept = lab("reset", "01", "--yes")
    copies = [
        Path(line.partition("A copy of your file is in ")[2])
        for line in kept.splitlines()
        if "A copy of" in line
    ]
    assert [copy.read_bytes() for copy in copies] == [piece.source.read_bytes() for piece in LAB.pieces]
    assert "platform's own code" in lab("stop", "01")
    assert not is_active(home, LAB)


@pytest.mark.thorough
def test_watch_answers_each_save(tmp_path: Path) -> None:
    lab("start", "01")
    api = next(piece for piece in LAB.pieces if piece.module.endswith(".api"))
    for piece in LAB.pieces:
        piece.file.write_bytes(piece.source.read_bytes())
    good = api.source.read_text()
    line = "    response.headers["
    assert line in good
    heard = tmp_path / "heard"
    with heard.open("w") as out:
        # A background process ignores Ctrl-C, and its children inherit that.
        command = ["env", "--default-signal=INT", "./lab", "check", "01", "--watch"]
        watching = subprocess.Popen(command, cwd=REPO, stdout=out, stderr=out)
    try:
        eventually(lambda: "checking 01" in heard.read_text(), within=10, what="a word at once")
        api.file.write_text(f"{good}# saved while the checks run\n")
        for number, text in enumerate(
            ("", good.replace(line, "    if False:\n        response.headers["), good)
        ):
            if text:
                began = time.monotonic()
                api.file.write_text(text)
            eventually(
                lambda n=number: heard.read_text().count("Waiting for a save") > n,  # type: ignore[misc]
                within=60,
                what=f"verdict {number + 1}",
            )
            if number == 1:
                assert time.monotonic() - began < 6 * slow(), heard.read_text()
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(20)
    first, wrong, right = heard.read_text().split("Waiting for a save")[:3]
    assert first.count(f"PASS: {CHECKS} of {CHECKS}") == 2
    assert "You saved a file during the checks, so they run again." in first
    assert "checking 01 A service that can be trusted step 3 …" in wrong
    assert "test_created_with_location" in wrong
    assert "Next, once this passes: step 4, 5, which may depend on it." in wrong
    assert "step 3 …" in right
    assert "step 4, 5 …" in right
    assert right.count("PASS: ") > 2


def test_a_part_of_the_checks_is_no_pass() -> None:
    before = Record(home).of("01")
    lab("check", "01", "-k", "test_delete")
    assert Record(home).of("01") == before


@pytest.mark.thorough
def test_one_step_is_judged_and_kept_with_the_others() -> None:
    lab("reset", "01", "--yes")
    lab("start", "01")
    api = next(piece for piece in LAB.pieces if piece.module.endswith(".api"))
    text = api.file.read_text()
    gap = '    raise NotImplementedError("Lab 01, step 1: write health")'
    api.file.write_text(text.replace(gap, '    return Health(service="profile")'))
    seen = lab("check", "01", "--step", "1")
    assert "PASS: 1 of 1 checks, 1 of 1 points, your code for step 1" in seen
    assert "Step 2" not in seen
    known = json.loads((home.root / "progress.json").read_text())["01"]
    assert (known["outcome"], known["of"]) == ("not attempted", POINTS)
    assert known["steps"]["1"] == "pass"
    assert "5 Refuse what you do not know" in lab("check", "01", "--step", "6", code=1)


@pytest.mark.fault
def test_ctrl_c_lets_a_check_mend_what_it_broke() -> None:
    command = ["env", "--default-signal=INT", "./lab", "check", "02", "-k", "frozen"]
    checking = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def profile_is(status: str) -> bool:
        return bool(psutil.Process(pid_of("profile")).status() == status)

    eventually(lambda: profile_is(psutil.STATUS_STOPPED), within=60, what="the check to freeze profile")
    checking.send_signal(signal.SIGINT)
    checking.communicate(timeout=60 * slow())
    assert not profile_is(psutil.STATUS_STOPPED)
    until_healthy()


@pytest.mark.thorough
def test_two_checks_at_once() -> None:
    lab("stop", "01")  # the platform's code, whatever a test before this one left
    command = ["./lab", "check", "01", "-k", "test_delete"]
    both = [subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [running.communicate(timeout=60 * slow())[0] for running in both]
    assert ["PASS: 1 of 1 checks" in words for words in said] == [True, True], said


def test_words_for_a_garbled_record() -> None:
    record = home.root / "progress.json"
    before = record.read_bytes() if record.exists() else b"{}"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text('{"01": ')
    try:
        assert "progress.json cannot be read: it is not JSON." in " ".join(lab("list").split())
    finally:
        record.write_bytes(before)


def test_the_starter_replaces_whatever_is_in_its_place(tmp_path: Path) -> None:
    """A symbolic link is not followed: the starter would overwrite the file behind it."""
    api, schemas = FILES[:2]
    (tmp_path / "mine.py").write_text("mine")
    api.unlink()
    api.symlink_to(tmp_path / "mine.py")
    schemas.unlink()
    schemas.mkdir()
    lab("reset", "01", "--yes")
    assert [file.read_text() for file in FILES] == [starter(LAB, piece) for piece in LAB.pieces]
    assert (tmp_path / "mine.py").read_text() == "mine"


def test_words_for_wrong_input() -> None:
    assert "1 Say that you are alive" in lab("hint", "01", "--step", "9", code=1)
    assert "There is no lab 99" in lab("check", "99", code=1)
    assert "There is no lab x" in lab("start", "x", code=1)
    assert "Lab 01" in lab("task", "01")
