"""A learner joins, sends after each check, and leaves; a class out of reach never disturbs a check."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from class_of_learners import home as learner
from class_of_learners import verdict
from support import eventually

from lab.backends.choice import chosen
from lab.classroom import sharing
from lab.classroom.board import Board
from lab.classroom.collector import Collector
from lab.classroom.folder import Folder
from lab.classroom.listen import _socket
from lab.classroom.members import Members
from lab.classroom.snapshot import MOST_BYTES, of_home
from lab.course import checking, running
from lab.course.exercise import exercise
from lab.course.grading import Graded
from lab.course.record import Record
from lab.errors import LabError
from lab.home import REPO, Home
from lab.notebook.prediction import Prediction
from lab.terminal import Console


@contextmanager
def collector(members: Members, port: int = 0) -> Iterator[str]:
    """Serve a collector in a thread; yield its address."""
    with _socket("127.0.0.1", port) as opened:
        config = uvicorn.Config(Collector(members).app, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        eventually(lambda: server.started, within=10, what="the collector to listen")
        yield f"127.0.0.1:{opened.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def ada(tmp_path: Path) -> Home:
    return Home(learner(tmp_path / "ada", 3))


def test_nothing_is_sent_before_joining_and_after_leaving(ada: Home) -> None:
    members = Members(Board())
    with collector(members) as where:
        assert sharing.after_check(ada) == ""
        assert members.board.people == {}
        made = sharing.join(ada, where, members.code, "Ada")
        (person,) = members.board.people.values()
        assert (made.name, person.name, person.snapshot) == ("Ada", "Ada", of_home(ada))
        assert (ada.root / sharing.FILE).stat().st_mode & 0o077 == 0
        assert sharing.leave(ada) == ""
        assert members.board.people == {}
        assert sharing.after_check(ada) == ""
    with pytest.raises(LabError, match="not joined"):
        sharing.leave(ada)


def test_joining_again_shows_nobody_twice(ada: Home) -> None:
    members = Members(Board())
    with collector(members) as where:
        sharing.join(ada, where, members.code, "Ada")
        sharing.join(ada, f"http://{where}/", members.code, "Ada L.")
        assert [person.name for person in members.board.people.values()] == ["Ada L."]


def test_a_prediction_is_sent_at_once(ada: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    members = Members(Board())
    monkeypatch.setenv("LAB_HOME", str(ada.root))
    (ada.root / "predictions.json").write_text("{}")
    with collector(members) as where:
        sharing.join(ada, where, members.code, "Ada")
        asked = next(iter(sharing_questions()))
        Prediction(asked, {"a": "x", "b": "y", "c": "z"}).choose("b")
        (person,) = members.board.people.values()
        eventually(lambda: asked in person.snapshot.predictions, within=5, what="the prediction")


def test_a_check_sends_its_result(ada: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab, members = exercise("01"), Members(Board())
    judged = verdict("01", 1, "test_alive_without_database", "pass", [])
    monkeypatch.setattr(checking, "grade", lambda *_, **__: Graded(0, [judged], ""))
    monkeypatch.setattr(running, "is_active", lambda *_: True)
    with (tmp_path / "said").open("w+") as out:
        checks = checking.Checking(
            ada, chosen(ada), Console(file=out), Record(ada), lambda: sharing.after_check(ada)
        )
        with collector(members) as where:
            sharing.join(ada, where, members.code, "Ada")
            (person,) = members.board.people.values()
            before = person.heard
            assert checks.once(lab) == 0
            assert person.heard > before
            assert person.snapshot.labs["01"].steps["1"] == "pass"
        assert checks.once(lab) == 0  # the collector is stopped, and the check is judged as before
        out.seek(0)
        assert out.read().count("The class overview was not updated") == 1


def sharing_questions() -> list[str]:
    from lab.classroom.questions import questions

    return [*questions()]


def test_a_class_out_of_reach_costs_one_remark(ada: Home) -> None:
    members = Members(Board())
    with collector(members) as where:
        sharing.join(ada, where, members.code, "Ada")
    remark = sharing.after_check(ada)
    assert "was not updated" in remark
    assert "Your result is kept" in remark
    assert "Nothing is sent any more" in sharing.leave(ada)
    assert sharing.after_check(ada) == ""


def test_a_collector_that_never_answers_costs_a_few_seconds(ada: Home) -> None:
    with _socket("127.0.0.1", 0) as silent:
        silent.listen(5)
        port = silent.getsockname()[1]
        known = sharing.Membership("Ada", f"http://127.0.0.1:{port}", "CODE", "1", "t")
        sharing._keep(ada, known)
        began = time.monotonic()
        assert "does not answer" in sharing.after_check(ada)
        assert time.monotonic() - began < sharing.SECONDS + 4


def test_a_collector_that_lost_its_data_gets_them_again(ada: Home) -> None:
    members = Members(Board())
    with collector(members) as where:
        sharing.join(ada, where, members.code, "Ada")
    port = int(where.partition(":")[2])
    again = Members(Board(), code=members.code)
    with collector(again, port):
        assert sharing.after_check(ada) == ""
        (person,) = again.board.people.values()
        assert (person.name, person.snapshot) == ("Ada", of_home(ada))
    with collector(Members(Board()), port):
        assert "not the join code" in sharing.after_check(ada)


@pytest.mark.parametrize(
    ("where", "code", "name", "said"),
    [
        ("127.0.0.1:9", "", "Ada", "join code is missing"),
        ("127.0.0.1:9", "ABC", " ", "name is empty"),
        ("127.0.0.1:9", "ABC", "Ada", "does not answer"),
        ("http://[", "ABC", "Ada", "does not answer"),
        ("nowhere", "", "Ada", "neither a folder nor an address"),
        ("", "", "Ada", "An empty text is neither a folder nor an address"),
    ],
)
def test_what_is_wrong_with_a_join(ada: Home, where: str, code: str, name: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        sharing.join(ada, where, code, name)
    assert sharing.membership(ada) is None


@pytest.mark.parametrize("text", ["", "{}", '{"name": 1}', '{"name": "Ada"}', "[" * 100_000], ids=range(5))
def test_a_damaged_membership_is_named(ada: Home, text: str) -> None:
    (ada.root / "class.json").write_text(text)
    assert sharing.after_check(ada) == "", "a check is not disturbed"
    for command in (sharing.leave, sharing.refuse_damaged):
        with pytest.raises(LabError, match=r"class\.json is damaged"):
            command(ada)


def test_a_wrong_code_is_told(ada: Home) -> None:
    with collector(Members(Board())) as where, pytest.raises(LabError, match="not the join code"):
        sharing.join(ada, where, "WRONG1", "Ada")


def test_a_shared_folder(ada: Home, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    sharing.join(ada, str(shared), "", "Ada Ö.")
    learner(shared / "bob", 4)  # the LAB_HOME of a learner on a machine that many use
    people = Folder(shared).board().people.values()
    assert {person.name for person in people} == {"Ada Ö.", "bob"}
    assert of_home(ada) in [person.snapshot for person in people]
    (file,) = shared.glob("*.json")
    assert {*json.loads(file.read_text())} == {"format", "name", "snapshot"}
    assert sharing.leave(ada) == ""
    assert not [*shared.glob("*.json")]


def test_odd_entries_of_a_folder_are_left_out(tmp_path: Path) -> None:
    learner(tmp_path / "ada", 1)
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "ada" / "predictions.pipe")
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    (tmp_path / "large.json").write_text('{"snapshot": {"labs": {}}, "name": "x"}' + " " * 2 * MOST_BYTES)
    (tmp_path / "deep.json").write_text("[" * 50_000)
    (tmp_path / "noname.json").write_text('{"snapshot": {"labs": {}}, "name": " "}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / "progress.json")
    assert [person.name for person in Folder(tmp_path).board().people.values()] == ["ada"]
    assert Folder(tmp_path / "gone").board().people == {}


def test_the_times_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    home = learner(tmp_path / "ada", 1)
    os.utime(home / "progress.json", (1000, 1000))
    folder = Folder(tmp_path)
    passes = folder.board().passes()
    assert passes
    assert {*passes} == {1000}
    folder._read_at = 0
    assert folder.board().passes() == passes


def test_listen_runs_and_ends(tmp_path: Path) -> None:
    env = {**os.environ, "LAB_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-P", "-m", "lab", "class", "listen", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=REPO, env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        first = running.stdout.readline()
        where, code = first.split()[5:7]
        eventually(lambda: (tmp_path / "class-listening.json").exists(), within=10, what="the collector")
        home = Home(learner(tmp_path / "ada", 1))
        eventually(lambda: _joins(home, where, code), within=15, what="the collector to answer")
        running.terminate()
        assert running.wait(15) == 0
    assert not (tmp_path / "class-listening.json").exists()
    assert "Ada" in (tmp_path / "class-members.json").read_text()


def _joins(home: Home, where: str, code: str) -> bool:
    try:
        return bool(sharing.join(home, where, code, "Ada"))
    except LabError:
        return False
