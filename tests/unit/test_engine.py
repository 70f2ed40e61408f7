"""Each kind of engine is recognised, and one that cannot run the system is refused in one line."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engines import NAMES, recorded

from lab import options
from lab.backends.compose import containers, diagnosis, engine, fitness, privileged
from lab.backends.compose.kinds import Engine
from lab.backends.compose.limits import memory_limit
from lab.errors import LabError
from lab.home import REPO

VIRTUAL = ("{} runs the containers in a virtual machine, so ./lab publishes the servers on 127.0.0.1 as"
           " well (not tried with this course)")  # fmt: skip
ROOTLESS = ("this machine cannot reach the addresses of rootless containers, so ./lab publishes the servers"
            " on 127.0.0.1 as well; root in JupyterLab's container is your own user; the gateway is"
            " on port 8000, because a rootless engine may not publish port 80")  # fmt: skip
WITHOUT_CGROUPS = ("; the engine does not enforce memory limits; the engine cannot pause a unit, so faults"
                   " and checks that pause one fail")  # fmt: skip
UNTRIED = " (not tried with this course)"
TRIED = "this course was tried with Docker Engine 20.10 on x86_64 only"
PODMAN = "; Podman's own builder builds the images"
NOT_HERE = ("The container engine runs on {}, not here, so its containers cannot mount labs/ from this"
            " machine. Use an engine on this machine, or LAB_BACKEND=native on Linux.")  # fmt: skip
# What `./lab doctor` says of the engine, and what of the part that needs attention.
SAID = {
    "colima-mac-arm64": VIRTUAL.format("Colima"),
    "desktop-mac-arm64": VIRTUAL.format("Docker Desktop"),
    "desktop-wsl": VIRTUAL.format("Docker Desktop"),
    "docker-20.10": "",
    "docker-20.10-rootless": ROOTLESS + WITHOUT_CGROUPS,
    "docker-25": TRIED,
    "docker-28": TRIED,
    "docker-28-in-wsl": TRIED,
    "docker-28-old-buildx": TRIED,
    "docker-28-proxy": TRIED,
    "docker-28-rootless": f"{ROOTLESS}; {TRIED}",
    "docker-29-compose-5": TRIED,
    "docker-29-without-buildx": TRIED,
    "orbstack": VIRTUAL.format("OrbStack"),
    "podman-4.3": "Podman's own builder builds the images" + UNTRIED,
    "podman-4.3-rootless": ROOTLESS + PODMAN + UNTRIED,
    "podman-5-rootless": ROOTLESS + PODMAN + UNTRIED,
    "rancher-mac": VIRTUAL.format("Rancher Desktop"),
    "rancher-wsl": VIRTUAL.format("Rancher Desktop"),
}
REFUSED = {
    "colima-mac-small": "The container engine has 2.1 GB of memory; the system needs",
    "desktop-mac-small": "The container engine has 1.9 GB of memory; the system needs",
    "docker-28-outside-this-container": NOT_HERE.format("laptop"),
    "docker-28-over-ssh": NOT_HERE.format("server-1"),
    "podman-4.3-command": "The `docker` command here is Podman 4.3.1 itself, and ./lab needs",
}
WITHOUT_BUILDER = {
    "docker-28-old-buildx": "Docker Compose 2.40.3 cannot build with buildx v0.12.1. Install buildx 0.17",
    "docker-29-without-buildx": "Docker Compose 5.0.1 builds images with the buildx plugin, which is",
}


@pytest.fixture(autouse=True)
def like_most_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Provide a kernel with its default, and an engine that is asked again by each test."""
    (tmp_path / "first").write_text("1024\n")
    monkeypatch.setattr(privileged, "FIRST_FREE", tmp_path / "first")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.delenv("LAB_REACH", raising=False)
    asked = engine.current
    asked.cache_clear()
    yield
    asked.cache_clear()


def test_each_recording_is_expected() -> None:
    assert sorted(SAID | REFUSED) == NAMES


@pytest.mark.parametrize("name", SAID)
def test_doctor_says_what_is_different(name: str) -> None:
    found = {finding.what: finding for finding in diagnosis.of_engine(recorded(name))}
    assert not found["container engine"].remedy
    assert found["container engine"].seen.startswith(recorded(name).name)
    assert (found["this engine"].seen if "this engine" in found else "") == SAID[name]
    assert found["image builder"].remedy.startswith(WITHOUT_BUILDER.get(name, ""))
    assert bool(found["image builder"].remedy) == (name in WITHOUT_BUILDER)


def test_an_arm_processor_was_not_tried() -> None:
    assert diagnosis.sentence(replace(recorded("docker-20.10"), architecture="aarch64")) == TRIED


@pytest.mark.parametrize("missing", [[], ["redis"]])
def test_doctor_says_that_the_official_images_were_not_tried(missing: list[str]) -> None:
    found = diagnosis.of_downloads(recorded("docker-20.10"), missing)
    assert "the official images were not tried with this course" in found.seen


def test_doctor_says_what_was_not_tried_in_the_development_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no engine
    text = (REPO / ".devcontainer" / "devcontainer.json").read_text()
    settings = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))["containerEnv"]
    assert "development container" not in {finding.what for finding in diagnosis.findings()}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    first, *_ = diagnosis.findings()
    assert first.what == "development container"
    assert "Codespaces, VS Code and the engine inside it were not tried" in first.seen


@pytest.mark.parametrize("name", REFUSED)
def test_doctor_and_up_refuse_in_one_line(name: str) -> None:
    (finding,) = diagnosis.of_engine(recorded(name))
    assert finding.remedy.startswith(REFUSED[name])
    assert "\n" not in finding.remedy
    with pytest.raises(LabError, match=r"^The "):
        fitness.refuse_unfit(recorded(name))


@pytest.mark.parametrize("name", WITHOUT_BUILDER)
def test_a_missing_builder_is_noticed_before_the_build(name: str) -> None:
    with pytest.raises(LabError, match="Install buildx"):
        fitness.refuse_without_builder(recorded(name))
    # The engine itself is good: with all images there, the system starts.
    fitness.refuse_unfit(recorded(name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": "19.03.8"}, ("19.03.8", "20.10")),
        ({"product": "Podman", "version": "3.4.4"}, ("Podman 3.4.4", "4.3")),
        ({"compose": ""}, ("`docker compose` is missing", "2.24")),
        ({"compose": "2.17.0"}, ("2.17.0", "2.24")),
        ({"memory": 10**9}, ("1.0 GB", "GB")),
    ],
)
def test_unfit_engine(changed: dict[str, object], said: tuple[str, ...]) -> None:
    unfit = replace(recorded("docker-28"), **changed)  # type: ignore[arg-type]
    with pytest.raises(LabError) as refused:
        fitness.refuse_unfit(unfit)
    assert all(word in str(refused.value) for word in said)
    assert "\n" not in str(refused.value)


def test_the_engine_needs_memory_for_all_limits_and_for_itself() -> None:
    """With less, the kernel kills processes although no container has reached its limit."""
    enough = (memory_limit() + 210) * 2**20  # MiB of the engine's own programs, measured with all containers
    assert fitness.least_memory() >= enough
    with pytest.raises(LabError, match=f"needs {fitness.least_memory() / 1e9:.1f} GB"):
        fitness.refuse_unfit(replace(recorded("docker-28"), memory=enough - 1))
    # The documents name 3 GB, of which the kernel of a virtual machine keeps a part.
    fitness.refuse_unfit(replace(recorded("docker-28"), memory=int(2.9e9)))


def test_an_option_with_servers_needs_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(recorded("docker-28"), memory=fitness.least_memory())
    fitness.refuse_unfit(small)
    monkeypatch.setenv(options.VARIABLE, "observability")
    # Three servers, and 32 more for each of two workers.
    assert memory_limit(options.chosen()) - memory_limit() == 128 + 160 + 64 + 2 * 32
    with pytest.raises(LabError, match=f"needs {fitness.least_memory() / 1e9:.1f} GB"):
        fitness.refuse_unfit(small)


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "28.5.2", "29.0.0-rc.1"])
def test_fit_engine(version: str) -> None:
    fitness.refuse_unfit(Engine("Docker Engine", version, 4 * 10**9, compose="v2.40.3-desktop.1"))


def test_an_engine_elsewhere_is_used_by_those_who_say_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_REACH", "network")
    fitness.refuse_unfit(recorded("docker-28-outside-this-container"))


@pytest.mark.parametrize("name", ["podman-4.3", "podman-5-rootless"])
def test_podman_builds_by_itself_and_docker_with_buildkit(name: str) -> None:
    assert fitness.builder(recorded(name)) == {"DOCKER_BUILDKIT": "0"}
    assert fitness.builder(recorded("docker-28")) == {"DOCKER_BUILDKIT": "1"}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("docker-28", "/etc/docker/daemon.json"), ("docker-28-rootless", "~/.config/docker/daemon.json"),
        ("desktop-wsl", "Settings, Resources, Proxies"), ("colima-mac-arm64", "colima.yaml"),
        ("podman-5-rootless", "podman.service"), ("docker-28-proxy", "Its proxy is http://proxy.example:3128"),
    ],
)  # fmt: skip
def test_advice_for_downloads_names_the_engines_own_proxy(name: str, where: str) -> None:
    advice = fitness.pull_advice(recorded(name))
    assert where in advice
    assert "does not use this shell's HTTPS_PROXY" in advice


def test_a_proxy_of_the_shell_alone_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in diagnosis.PROXIES:
        monkeypatch.delenv(name, raising=False)
    assert not diagnosis.of_downloads(recorded("docker-28"), ["redis"]).remedy
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert "daemon.json" in diagnosis.of_downloads(recorded("docker-28"), ["redis"]).remedy
    for fine in ("docker-28-proxy", "desktop-mac-arm64"):
        assert not diagnosis.of_downloads(recorded(fine), ["redis"]).remedy
    assert not diagnosis.of_downloads(recorded("docker-28"), []).remedy


@pytest.mark.parametrize("name", ["desktop-wsl", "rancher-wsl", "desktop-mac-arm64"])
def test_process_ids_of_a_virtual_machine_are_not_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In WSL these could be the ids of other programs, which would then get the signal."""
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(engine, "current", lambda: recorded(name))
    monkeypatch.setattr(engine, "must", lambda *words: sent.append(words))
    container = {"Id": "0" * 64, "Name": f"/{containers.name('posts')}", "State": {
        "Status": "running", "Pid": os.getpid(), "StartedAt": "2026-01-01T00:00:00.0Z"}}  # fmt: skip
    answer = json.dumps([container])
    monkeypatch.setattr(engine, "run", lambda *words, **_: type("Done", (), {"stdout": answer})())
    containers.send("posts", 0)
    assert "--pid=host" in sent[0]
