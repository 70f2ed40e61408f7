"""The docker command: what is asked, and what is said where there is none."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import FOLDER

from lab.backends.compose import containers, engine
from lab.backends.inside import InsideBackend
from lab.errors import LabError
from lab.home import Home


@pytest.fixture(autouse=True)
def asked_again() -> Iterator[None]:
    """Provide an engine that is asked again by each test."""
    asked = engine.current
    asked.cache_clear()
    yield
    asked.cache_clear()


def test_no_docker_command(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not engine.answers()
    assert engine.current() is None
    with pytest.raises(LabError, match="Install Docker"):
        engine.look()


@pytest.mark.parametrize("name", ["docker-20.10-rootless", "podman-4.3-command"])
def test_a_docker_command_is_asked_for_the_documents(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command that prints a recording, as a process: what is asked, and what is made of the answer."""
    found = json.loads((FOLDER / f"{name}.json").read_text())
    for document in ("info", "version"):
        (tmp_path / document).write_text(json.dumps(found[document]))
    command = tmp_path / "docker"
    command.write_text(
        f'#!/bin/sh\ncase "$1" in info|version) cat "{tmp_path}/$1" ;;\n'
        '  compose) echo "2.40.3" ;; buildx) echo "github.com/docker/buildx v0.29.1 abc" ;;\n'
        "  *) exit 1 ;; esac\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    seen = engine.look()
    assert (seen.rootless, seen.podman_command) == (name.endswith("rootless"), name.endswith("command"))
    assert (seen.compose, seen.buildx) == ("2.40.3", "v0.29.1")


def test_inside_says_what_to_type_outside(tmp_path: Path) -> None:
    inside = InsideBackend(Home(tmp_path))
    assert inside.endpoints()["kafka"] == "kafka:9092"
    with pytest.raises(LabError, match=r"\./lab restart posts"):
        inside.restart("posts")


def test_containers_without_an_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert not engine.answers()
    assert [unit.state for unit in containers.look(("posts",))] == ["stopped"]
