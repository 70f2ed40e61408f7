"""The commands of a class, as an instructor and a learner type them."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from class_of_learners import home
from support import eventually

from lab.home import REPO
from lab.probes import local_http


def lab(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "lab", "class", *words]
    return subprocess.run(
        command, cwd=REPO, env=_of(home), capture_output=True, text=True, timeout=120, check=False
    )


def _of(home: Path) -> dict[str, str]:
    return {**os.environ, "LAB_HOME": str(home), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(home: Path, *words: str) -> Iterator[str]:
    """Run a command that serves a page; yield the address that it prints."""
    command = [sys.executable, "-P", "-m", "lab", "class", *words, "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=REPO, env=_of(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, f"it has ended after: {said}"
            said += line
        url = re.findall(r"http://\S+", said)[0]
        eventually(lambda: page(url), within=20, what="the page")
        yield url
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def page(url: str) -> str:
    with local_http.client(timeout=5, follow_redirects=True) as client:
        answer = client.get(url)
        return answer.text if answer.status_code == 200 else ""


def test_a_class_by_its_commands(tmp_path: Path) -> None:
    instructor, ada = tmp_path / "instructor", home(tmp_path / "homes" / "ada", 1)
    assert "You have not joined a class" in lab(ada, "sent").stdout
    with running(instructor, "listen") as url:
        told = lab(instructor, "overview", "--no-browser")
        assert url in told.stdout
        joining = re.search(r"(\S+:\d+) ([A-Z0-9]{6}) --name", page(url))
        assert joining
        joined = lab(ada, "join", *joining.groups(), "--name", "Ada <b>")
        assert joined.returncode == 0, joined.stdout
        assert "the name that you type" in joined.stdout
        assert "Ada &lt;b&gt;" in page(url)
        sent = lab(ada, "sent").stdout
        assert "as Ada <b>" in sent
        assert {*json.loads(sent[sent.index("{") :])} == {"labs", "predictions"}
        assert "deleted" in lab(ada, "leave").stdout
        assert "Ada" not in page(url)
    ended = lab(instructor, "overview", "--no-browser")
    assert ended.returncode == 1
    assert "No collector runs here" in ended.stdout


def test_the_overview_of_a_folder(tmp_path: Path) -> None:
    home(tmp_path / "homes" / "ada", 1)
    with running(tmp_path / "instructor", "overview", str(tmp_path / "homes")) as url:
        assert "ada" in page(url)
    assert lab(tmp_path, "overview", str(tmp_path / "gone")).returncode == 1
