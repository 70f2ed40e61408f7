"""The scripts of the workflows: tags move along their line, and a container killed for memory is named."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

REPO = Path(__file__).parents[2]
SCRIPTS = REPO / ".github" / "scripts"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


patches, deaths = script("newest_patches"), script("deaths")


@pytest.mark.parametrize(
    ("tag", "line"),
    [
        ("15.14-bookworm", "15-bookworm"), ("6.0.26-jammy", "6.0-jammy"), ("v3.7.15", "v3.7"),
        ("1.22.7", "1.22"), ("3.11.14-slim-bookworm", "3.11-slim-bookworm"), ("15-bookworm", "15-bookworm"),
        ("latest", "latest"), ("bookworm-slim", "bookworm-slim"),
    ],
)  # fmt: skip
def test_a_tag_moves_to_its_line(tag: str, line: str) -> None:
    assert patches.line_of(tag) == line


def test_only_image_lines_change() -> None:
    before = (
        "FROM python:3.11.14-slim-bookworm AS base\nFROM base AS build\n"
        "    image: redis:7.4.5-bookworm  # why\n    image: apache/kafka:4.1.0\n"
        "    image: civildiy-lab:local\n    command: [redis-server, 7.4.5]\n"
    )
    assert patches.moved(before) == (
        "FROM python:3.11-slim-bookworm AS base\nFROM base AS build\n"
        "    image: redis:7.4-bookworm  # why\n    image: apache/kafka:4.1.0\n"
        "    image: civildiy-lab:local\n    command: [redis-server, 7.4.5]\n"
    )


def test_every_image_of_the_course_moves_or_has_a_reason(tmp_path: Path) -> None:
    copies = []
    for file in (REPO / "docker-compose.yml", REPO / "platform/deployment/Dockerfile"):
        copies.append(tmp_path / file.name)
        copies[-1].write_text(file.read_text())
    subprocess.run([sys.executable, SCRIPTS / "newest_patches.py", *copies], check=True)
    before, after = (
        {name: service.get("image") for name, service in yaml.safe_load(file.read_text())["services"].items()}
        for file in (REPO / "docker-compose.yml", copies[0])
    )
    for name, image in before.items():
        publisher = image.partition(":")[0]
        assert (after[name] == image) == (publisher in patches.WITHOUT_LINES), image
    assert "FROM python:3.11-slim-bookworm" in copies[1].read_text()


def container(name: str, killed: bool = False, restarts: int = 0) -> dict[str, Any]:
    return {"Name": f"/{name}", "RestartCount": restarts, "State": {"OOMKilled": killed, "Status": "running"}}


def test_a_container_that_was_killed_is_named_once() -> None:
    seen = [container("redis"), container("mongodb", killed=True), container("kafka", restarts=2)]
    assert deaths.faults(seen, "mongodb\nmongodb\n", False) == ["mongodb ran out of memory."]
    assert deaths.faults(seen, "", False) == ["mongodb ran out of memory."]
    # One that was restarted afterwards has forgotten it; the engine's events have not.
    assert deaths.faults([container("redis", restarts=1)], "redis\n", False) == ["redis ran out of memory."]


def test_restarts_count_only_before_the_tests() -> None:
    seen = [container("kafka", restarts=2)]
    assert deaths.faults(seen, "", True) == ["kafka was restarted 2 times."]
    assert deaths.faults(seen, "", False) == []


def test_the_table_has_a_line_for_each_container() -> None:
    lines = deaths.table([container("redis", restarts=3), container("mongodb", killed=True)]).splitlines()
    assert [line.split()[0] for line in lines] == ["container", "mongodb", "redis"]
    assert lines[1].endswith("yes")
    assert lines[2].split()[2] == "3"


def test_every_test_on_compose_that_ci_names_exists() -> None:
    """pytest would refuse another name, but only after the engine has been installed."""
    names = subprocess.run([REPO / ".ci" / "compose", "--list"], capture_output=True, text=True, check=True)
    listed = [line.partition("::") for line in names.stdout.splitlines()]
    for file, _, test in listed:
        function, _, parameter = test.partition("[")
        assert f"\ndef {function}(" in (REPO / file).read_text()
        if function == "test_live_tests":
            assert (REPO / "tests" / "live" / f"test_{parameter.rstrip(']')}.py").is_file()
    assert {file for file, *_ in listed} == {
        f"tests/compose/test_{name}.py" for name in ("on_compose", "weight")
    }
