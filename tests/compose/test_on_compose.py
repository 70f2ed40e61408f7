"""The unmodified docker-compose.yml on a real engine: it comes up, passes the same tests, and recovers."""

import json
import socket
from pathlib import Path

import pytest
from compose import jupyterlab, linter
from compose.looks import answers, healthy, routed, suite
from compose.stack import Stack
from support import eventually

from lab.backends.compose import overlays
from lab.backends.compose.bundle import images
from lab.backends.compose.limits import memory_limit
from lab.backends.settings import SECRETS
from lab.home import REPO
from lab.notebook.texts import texts
from lab.topology import PATHS, UNITS

pytestmark = pytest.mark.campaign
PAGES = ("HTTP", "DASHBOARD", "CONSUL", "JUPYTER")
OWN = ("auth", "profile", "posts", "posts-relay", "feed", "feed-projector")
EVERYWHERE = "break_everywhere"
NATIVE_ONLY = {"break_native", "crash_points", "leaks", "rotation", "storm_finds", "two_systems", "up"}
"""These need a process that can kill itself (a container's first one cannot), or the native supervisor."""
OTHERWISE = {"verify_memory", "findings"}
"""verify_memory fills Redis far above its container's limit, and findings needs the option observability."""
LIVE = sorted(
    {file.stem.removeprefix("test_") for file in (REPO / "tests/live").glob("test_*.py")}
    - NATIVE_ONLY
    - OTHERWISE
    - {EVERYWHERE}
)
DAILY_ONLY = {"fuzz": ("-m", "not campaign")}
OWN_LAYERS = 125_000_000
"""Bytes on top of python:3.11-slim, which has 125 million: together less than 250."""


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_named_before_anything_starts(
    on_compose: Stack, tmp_path: Path, name: str
) -> None:
    there = [f"{secret}={value}" for secret, value in on_compose.secrets().items() if secret != name]
    (tmp_path / "env").write_text("\n".join([*there, f"{name}="]))
    words = ["docker", "compose", "--env-file", tmp_path / "env", "up", "--detach", "--wait"]
    said = on_compose.run(*words, code=1)
    assert len(said.strip().splitlines()) == 1
    assert f"required variable {name} is missing" in said
    assert "Make it in .env with ./lab secrets" in said
    assert on_compose.all_containers() == []


def test_comes_up_as_it_is(on_compose: Stack) -> None:
    on_compose.timed("build", "docker", "compose", "build", seconds=900)
    on_compose.tell_of_a_proxy(True)  # nothing of what follows may ask it
    on_compose.timed("up, images there, no data", "docker", "compose", "up", "--detach", "--wait")
    assert routed() == dict.fromkeys(PATHS, 200)  # at once: --wait means that the gateway routes


def test_config_is_clean(on_compose: Stack) -> None:
    more = [*sorted(overlays.OVERLAYS.rglob("*.yaml")), *REPO.glob("compose.*.yaml")]
    more = [file for file in more if "services:" in file.read_text()]
    assert {overlays.QUICK, *overlays.PUBLISHED} < set(more)
    first = [word for file in overlays.ALWAYS for word in ("-f", str(file))]
    combined: list[list[str]] = [[], first]
    combined += [[*first, "-f", str(file)] for file in more if file not in overlays.ALWAYS]
    for words in combined:
        assert on_compose.compose("--project-directory", REPO, *words, "config", "--quiet") == ""


def test_second_up_does_nothing(on_compose: Stack) -> None:
    before = {unit: on_compose.container(unit)["Id"] for unit in UNITS}
    assert "already running" in on_compose.lab("up")
    assert {unit: on_compose.container(unit)["Id"] for unit in UNITS} == before


def test_linter_is_content(on_compose: Stack) -> None:
    """dclint knows the schema of the Compose specification, and what goes wrong in practice."""
    linter.run(on_compose)


@pytest.mark.parametrize("unit", [*OWN, "consul", "traefik", "jupyterlab"])
def test_no_container_is_told_of_a_proxy(on_compose: Stack, unit: str) -> None:
    environment = on_compose.container(unit)["Config"]["Env"]
    proxies = [word for word in environment if "_proxy=" in word.lower() and not word.endswith("=")]
    assert proxies == []


def test_only_web_pages_are_published(on_compose: Stack) -> None:
    ports = [each["NetworkSettings"]["Ports"] for each in on_compose.all_containers()]
    published = {
        (p["HostIp"], int(p["HostPort"])) for found in ports for all_ in found.values() for p in all_ or []
    }
    assert published == {("127.0.0.1", int(on_compose.environment[f"LAB_PORT_{page}"])) for page in PAGES}


@pytest.mark.parametrize("unit", OWN)
def test_own_containers_are_closed(on_compose: Stack, unit: str) -> None:
    seen = on_compose.container(unit)
    host = seen["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert seen["Config"]["User"] == "10001:10001"
    assert not host["PortBindings"]


def test_jupyterlab_is_closed_and_bounded(on_compose: Stack) -> None:
    seen = on_compose.container("jupyterlab")
    host = seen["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["PidsLimit"] > 0
    labs = (REPO / "labs").stat()
    assert seen["Config"]["User"] == f"{labs.st_uid}:{labs.st_gid}"
    assert {mount["Destination"] for mount in seen["Mounts"] if mount["RW"]} == {
        "/civildiy/notebooks", "/civildiy/labs", "/overrides"
    }  # fmt: skip
    with jupyterlab.visitor(on_compose) as http:
        for path in ("/lab", "/civildiy/course", "/civildiy/status", "/civildiy/api/posts"):
            assert http.get(path).status_code in (302, 403), path  # 302: to the page that asks for the token
        assert http.get("/api/contents").status_code == 403
        assert http.post("/api/kernels", json={}).status_code == 403
        # A page that a browser has from elsewhere, under a name that now leads here.
        assert http.get("/api", headers={"Host": "elsewhere.example"}).status_code == 403


def test_jupyterlab_has_the_course_in_it(on_compose: Stack) -> None:
    cards = jupyterlab.pages(on_compose)
    assert sum(address.startswith("/api/contents/") for address in cards.values()) == len(texts())
    assert cards["Consul"] == f"http://127.0.0.1:{on_compose.environment['LAB_PORT_CONSUL']}/ui/"
    assert jupyterlab.kernel_without_being_asked(on_compose) == "civildiy-lab"


@pytest.mark.parametrize("unit", [*UNITS, "jupyterlab"])
def test_every_container_is_bounded(on_compose: Stack, unit: str) -> None:
    seen = on_compose.container(unit)
    assert seen["HostConfig"]["Memory"] > 0
    assert seen["HostConfig"]["LogConfig"]["Config"]["max-size"] == "10m"
    assert not seen["State"]["OOMKilled"]
    assert not any("docker.sock" in bind for bind in seen["HostConfig"]["Binds"] or [])


@pytest.mark.parametrize("name", LIVE)
def test_live_tests(on_compose: Stack, tmp_path: Path, name: str) -> None:
    """The same tests as on the native backend."""
    options = DAILY_ONLY.get(name, ())
    assert suite(on_compose, name, tmp_path / "live.xml", f"tests/live/test_{name}.py", *options)


def test_faults_everywhere(on_compose: Stack, tmp_path: Path) -> None:
    """Each fault at each unit, if an engine can inject it. Run by hand, because it takes five minutes."""
    assert suite(on_compose, EVERYWHERE, tmp_path / "live.xml", f"tests/live/test_{EVERYWHERE}.py")


def test_checks_of_the_labs(on_compose: Stack, tmp_path: Path) -> None:
    passed = suite(on_compose, "checks", tmp_path / "checks.xml", "checks")
    assert len(passed) > 50


def test_learners_way(on_compose: Stack, tmp_path: Path) -> None:
    file = "tests/course/test_lab_commands.py"
    assert suite(on_compose, file, tmp_path / "course.xml", file)


def test_a_lab_in_jupyterlab(on_compose: Stack) -> None:
    """A learner with only Docker and a browser can work on a lab: start, check, hint, tools, stop."""
    jupyterlab.worked_on_a_lab(on_compose)


@pytest.mark.parametrize("name", ["00-tour", "02-discovery"])
def test_a_notebook_in_jupyterlab(on_compose: Stack, name: str) -> None:
    """A user outside does what JupyterLab cannot do, and the notebook sees the effect."""
    assert jupyterlab.played(on_compose, name) > 0


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
    base = next(line.split()[1] for line in (REPO / "platform/deployment/Dockerfile").read_text().splitlines()
                if line.startswith("FROM python"))  # fmt: skip
    sizes = [int(on_compose.run("docker", "image", "inspect", "--format", "{{.Size}}", image))
             for image in ("civildiy-lab:local", base)]  # fmt: skip
    assert sizes[0] - sizes[1] < OWN_LAYERS


def test_the_kernel_ended_nothing_for_lack_of_memory(on_compose: Stack) -> None:
    """No container may contain one, also not those that were created again."""
    assert on_compose.memory_kills.seen == []
    killed = {each["Name"] for each in on_compose.all_containers() if each["State"]["OOMKilled"]}
    assert killed == set()


def test_reset_deletes_the_volumes(on_compose: Stack) -> None:
    """The last test, because it removes the system."""

    assert on_compose.volumes()
    secrets = on_compose.secrets()
    on_compose.lab("reset", "--yes")
    assert on_compose.volumes() == []
    assert on_compose.all_containers() == []
    assert on_compose.secrets() == secrets
