"""The unmodified docker-compose.yml on a real engine: it comes up, passes the same tests, and recovers."""

import json
import socket
import sys
import time
import xml.etree.ElementTree as Xml
from pathlib import Path

import httpx
import pytest
from compose.machine import Machine
from compose.notebook import played
from compose.stack import Stack
from support import eventually, home

from lab import plain
from lab.backend import UNITS
from lab.compose.commands import images
from lab.compose.limits import memory_limit
from lab.course.exercise import exercise
from lab.course.starter import starter
from lab.home import REPO
from lab.readiness import PATHS

pytestmark = pytest.mark.campaign
GATEWAY = "http://127.0.0.1:18000"
OWN = ("auth", "profile", "posts", "posts-relay", "feed", "feed-projector")
LIVE = (
    "api", "identity", "events", "stores", "models", "group", "faults", "commands", "commands_as_shown",
    "break", "view_tools", "fuzz", "storm",
)  # fmt: skip
"""Files of tests/live. The others are native: crash points end no container's first process."""
DAILY_ONLY = {"fuzz": ("-m", "not campaign")}
NOT_OURS = (
    # The file is read from top to bottom like the architecture's picture, not like a dictionary.
    "service-keys-order", "services-alphabetical-order", "service-dependencies-alphabetical-order",
    "service-ports-alphabetical-order", "top-level-properties-order",
    # `image` names what `build` makes, so that several services share it.
    "no-build-and-image",
    # In lists on one line quotes keep the colons together, and dclint does not see them.
    "no-quotes-in-volumes", "require-quotes-in-ports",
)  # fmt: skip
OWN_LAYERS = 125_000_000
"""Bytes on top of python:3.11-slim, which has 125 million: together less than 250."""


def routed() -> dict[str, int]:
    """What the gateway answers for each service."""
    with plain.client(base_url=GATEWAY, timeout=10) as http:
        return {name: http.get(f"/api/{path}/health").status_code for name, path in PATHS.items()}


def answers(service: str) -> bool:
    """Whether the gateway gets an answer from the service within a second."""
    try:
        url = f"{GATEWAY}/api/{PATHS[service]}/health"
        return plain.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def healthy() -> bool:
    """Whether everything, the path of an event included, works."""
    with plain.client(base_url=GATEWAY, timeout=5) as http:
        stats = http.get("/api/activity-stream/stats").json()
    return (
        set(routed().values()) == {200}
        # Without Redis, or without feed, the answer is a problem and has neither.
        and stats.get("lag_events") == 0
        and stats.get("consumer_state") == "running"
    )


def test_a_missing_secret_is_named(on_compose: Stack) -> None:
    said = on_compose.run("docker", "compose", "--env-file", "/dev/null", "config", "--quiet", code=1)
    assert len(said.strip().splitlines()) == 1
    assert "GATEWAY_SECRET" in said
    assert "./lab secrets" in said


def test_comes_up_as_it_is(on_compose: Stack) -> None:
    on_compose.timed("build", "docker", "compose", "build")
    on_compose.timed("up, images there, no data", "docker", "compose", "up", "--detach", "--wait")
    assert routed() == dict.fromkeys(PATHS, 200)  # at once: --wait means that the gateway routes


def test_config_is_clean(on_compose: Stack) -> None:
    more = [*sorted((REPO / "platform" / "compose").glob("*.yaml")), *REPO.glob("compose.*.yaml")]
    overlays = [[], *(["-f", "docker-compose.yml", "-f", str(file.relative_to(REPO))] for file in more)]
    for files in overlays:
        assert on_compose.compose(*files, "config", "--quiet") == ""


def test_second_up_does_nothing(on_compose: Stack) -> None:
    before = {unit: on_compose.container(unit)["Id"] for unit in UNITS}
    assert "up already" in on_compose.lab("up")
    assert {unit: on_compose.container(unit)["Id"] for unit in UNITS} == before


def test_linter_is_content(on_compose: Stack) -> None:
    """dclint knows the schema of the Compose specification, and what goes wrong in practice."""
    tool = Machine(home).root / "dclint-3.1.0"
    if not (tool / "node_modules").exists():
        on_compose.run("npm", "install", "--no-fund", "--no-audit", "--prefix", tool, "dclint@3.1.0")
    dclint = tool / "node_modules" / ".bin" / "dclint"
    rules = [word for rule in NOT_OURS for word in ("--disable-rule", rule)]
    on_compose.run(dclint, REPO / "docker-compose.yml", "--max-warnings", 0, *rules)


@pytest.mark.parametrize("unit", OWN)
def test_own_containers_are_closed(on_compose: Stack, unit: str) -> None:
    seen = on_compose.container(unit)
    host = seen["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert seen["Config"]["User"] == "10001:10001"
    assert not host["PortBindings"]


@pytest.mark.parametrize("unit", UNITS)
def test_every_container_is_bounded(on_compose: Stack, unit: str) -> None:
    seen = on_compose.container(unit)
    assert seen["HostConfig"]["Memory"] > 0
    assert seen["HostConfig"]["LogConfig"]["Config"]["max-size"] == "10m"
    assert not seen["State"]["OOMKilled"]
    assert not any("docker.sock" in bind for bind in seen["HostConfig"]["Binds"] or [])
    bound = [b["HostIp"] for found in seen["HostConfig"]["PortBindings"].values() for b in found]
    assert set(bound) <= {"127.0.0.1"}


def suite(on_compose: Stack, name: str, file: Path, *arguments: str) -> list[str]:
    """Run the project's own tests against Compose; returns the names of those that passed."""
    began = time.monotonic()
    on_compose.run(sys.executable, "-m", "pytest", "-q", f"--junit-xml={file}", *arguments)
    on_compose.seconds[name] = time.monotonic() - began
    cases = Xml.parse(file).findall(".//testcase")
    assert not [case.get("name") for case in cases if case.find("skipped") is not None]
    on_compose.figures.append(f"{len(cases)} tests passed: {name}")
    return [str(case.get("name")) for case in cases]


@pytest.mark.parametrize("name", LIVE)
def test_live_tests(on_compose: Stack, tmp_path: Path, name: str) -> None:
    """The same tests as on the native backend."""
    options = DAILY_ONLY.get(name, ())
    assert suite(on_compose, name, tmp_path / "live.xml", f"tests/live/test_{name}.py", *options)


def test_checks_of_the_labs(on_compose: Stack, tmp_path: Path) -> None:
    passed = suite(on_compose, "checks", tmp_path / "checks.xml", "checks")
    assert len(passed) > 50


def test_learners_way(on_compose: Stack, tmp_path: Path) -> None:
    file = "tests/course/test_lab_commands.py"
    assert suite(on_compose, file, tmp_path / "course.xml", file)


def test_a_lab_in_jupyterlab(on_compose: Stack) -> None:
    """Whoever has Docker and a browser only can work on a lab: start, check, hint, tools, stop."""

    def inside(*words: str, code: int = 0) -> str:
        return on_compose.run("docker", "compose", "exec", "-T", "jupyterlab", "lab", *words, code=code)

    lab = exercise("01")
    kept = {piece.file: piece.file.read_bytes() for piece in lab.pieces}
    try:
        for piece in lab.pieces:
            piece.file.write_text(starter(lab, piece))
        assert "profile runs labs/01-services/api.py" in inside("start", "01")
        assert "your code" in on_compose.lab("list")  # outside sees the same
        seen = inside("check", "01", code=3)
        assert "Lab 01, step 1: write health" in seen
        assert "NOT ATTEMPTED: 0 of" in seen
        assert "Your code, just now: labs/01-services/api.py, line" in inside("hint", "01")
        for piece in lab.pieces:
            piece.file.write_text(piece.source.read_text())
        seen = inside("check", "01", code=2)  # what needs a say over the containers is left
        assert "FAIL" not in seen
        assert "on your own machine, in this folder: ./lab check 01" in seen
        assert seen.count("NOT GRADABLE: ") == 2
        assert ", your code, " in seen
    finally:
        for file, content in kept.items():
            file.write_bytes(content)
        inside("stop", "01")
    assert "your code" not in inside("list")
    assert "PASS: " in inside("check", "04")
    inside("verify")


@pytest.mark.parametrize("name", ["00-tour", "02-discovery"])
def test_a_notebook_in_jupyterlab(on_compose: Stack, name: str) -> None:
    """A person outside does what JupyterLab cannot, and the notebook sees it."""
    assert played(on_compose, name) > 0


@pytest.mark.parametrize("unit", ["postgresql", "traefik", "auth", "feed"])
def test_killed_container_recovers(on_compose: Stack, unit: str) -> None:
    """The other units are killed by the live tests."""
    pid = on_compose.state(unit)["Pid"]
    on_compose.kill(unit)
    eventually(
        lambda: on_compose.state(unit)["Pid"] not in (0, pid) and healthy(),
        within=60,
        what=f"{unit} to be back and everything healthy",
    )


@pytest.mark.parametrize("unit", UNITS)
def test_paused_container_recovers(on_compose: Stack, unit: str) -> None:
    on_compose.compose("pause", unit)
    try:
        assert on_compose.state(unit)["Paused"]
        if unit in PATHS:
            eventually(
                lambda: not answers(unit), within=15, what=f"the gateway to notice the pause of {unit}"
            )
    finally:
        on_compose.compose("unpause", unit)
    eventually(healthy, within=60, what=f"everything to be healthy after the pause of {unit}")


def test_a_taken_port_is_named(on_compose: Stack) -> None:
    on_compose.lab("down")
    with socket.create_server(("127.0.0.1", 18000)):
        said = on_compose.lab("up", code=1)
    assert "127.0.0.1:18000" in said
    assert "LAB_PORT_HTTP" in said
    assert "Traceback" not in said


def test_warm_start_and_figures(on_compose: Stack) -> None:
    on_compose.timed("up, warm", "docker", "compose", "up", "--detach", "--wait")
    eventually(healthy, within=60, what="a healthy system")
    units = json.loads(on_compose.lab("status", "--json"))
    on_compose.figures += [f"{unit['name']}: {unit['memory'] / 1e6:.0f} MB" for unit in units]
    total = sum(unit["memory"] for unit in units)
    on_compose.figures.append(f"all containers: {total / 1e6:.0f} MB; their limits: {memory_limit()} MiB")
    assert total < memory_limit() * 2**20
    for name in images():
        size = int(on_compose.run("docker", "image", "inspect", "--format", "{{.Size}}", name))
        on_compose.figures.append(f"{name}: {size / 1e6:.0f} MB")
    base = next(line.split()[1] for line in (REPO / "platform/Dockerfile").read_text().splitlines()
                if line.startswith("FROM python"))  # fmt: skip
    sizes = [int(on_compose.run("docker", "image", "inspect", "--format", "{{.Size}}", image))
             for image in ("civildiy-lab:local", base)]  # fmt: skip
    assert sizes[0] - sizes[1] < OWN_LAYERS
