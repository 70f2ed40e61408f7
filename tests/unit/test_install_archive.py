"""Consul is installed from its released archive, or built if the archive cannot be used."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest
from archives import (
    ARCHIVE,
    PROGRAM,
    Reply,
    install,
    installer,
    missing,
    packed,
    part,
    silent,
    site,
    trickle,
    whole,
)

from lab.home import RECIPES, Home
from lab.install import download, recipes
from lab.install.command import Runner
from lab.install.pins import Archive, GoModule, Pins, pins
from lab.install.servers import Installer


def test_taken_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = installer(tmp_path, monkeypatch)
    with site(whole(ARCHIVE)) as url:
        monkeypatch.setenv("LAB_CONSUL_ARCHIVE", url)
        program, line = install(mine)
    assert program == PROGRAM
    assert "downloaded from http://127.0.0.1" in line
    assert f"consul_{pins().archives['consul'].version}.zip" in line
    assert (mine.folder("consul") / "consul").stat().st_mode & 0o111
    assert [file.name for file in mine.folder("consul").iterdir()] == ["consul"]
    assert mine.is_complete()


@pytest.mark.parametrize(
    ("reply", "archive", "reason"),
    [
        (whole(packed()[:-1] + b"x"), ARCHIVE, "its SHA-256 is"),
        (missing, ARCHIVE, "404 Not Found"),
        (silent, ARCHIVE, "cannot be reached (timed out)|did not answer in 1 s"),
        (part(lambda end: None), ARCHIVE, "a part of it has arrived|stopped after"),
        (part(lambda end: end.wait(60)), ARCHIVE, "stopped after"),
        (trickle, ARCHIVE, "too slow"),
        (whole(ARCHIVE[:5000]), ARCHIVE[:5000], "cannot be unpacked"),
        (whole(packed("nomad")), packed("nomad"), "cannot be unpacked"),
    ],
    ids=["altered", "404", "silent", "cut-off", "stalls", "slow", "truncated-zip", "another-program"],
)
def test_built_where_the_archive_is_of_no_use(
    reply: Reply, archive: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_waits(tmp_path, monkeypatch)
    mine = installer(tmp_path, monkeypatch, archive)
    with site(reply) as url:
        monkeypatch.setenv("LAB_CONSUL_ARCHIVE", url)
        program, line = install(mine)
    assert program == b"built"
    assert any(text in line for text in reason.split("|")), line
    assert "Building from source instead" in line
    assert [file.name for file in mine.folder("consul").iterdir()] == ["consul"]


def shorten_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the download's process wait for one second where it waits for three or ten."""
    hook = folder / "python" / "sitecustomize.py"
    hook.parent.mkdir()
    hook.write_text(
        "import lab.install.download as d\nd.CONNECT_SECONDS = d.STALL_SECONDS = d.JUDGED_AFTER = 1.0\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hook.parent))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/consul.zip", "refused"),
        ("http://nowhere.invalid/consul.zip", "cannot be reached"),
        ("consul.zip", "begins with neither"),
        ("file:///nowhere/consul.zip", "cannot be reached"),
    ],
)
def test_an_address_that_nobody_answers_costs_little_time(
    url: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_CONSUL_ARCHIVE", url)
    program, line = install(installer(tmp_path, monkeypatch))
    assert program == b"built"
    assert reason in line


def test_no_address_means_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CONSUL_ARCHIVE", "")
    program, line = install(installer(tmp_path, monkeypatch))
    assert program == b"built"
    assert "LAB_CONSUL_ARCHIVE is empty" in line


def test_a_name_that_is_looked_up_for_ever_ends_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm ends the process even while the C library waits for a name server."""
    code = (
        "import ctypes, lab.install.download as d\n"
        "d.CONNECT_SECONDS = 0.5\n"
        "d.reach = lambda *_: ctypes.CDLL(None).sleep(60)\n"  # like getaddrinfo, it returns to no handler
        "d.main('http://x/')\n"
    )
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], timeout=40, check=False)
    assert ended.returncode < 0
    assert time.monotonic() - began < 30


def test_a_full_disk_leads_to_no_program(tmp_path: Path) -> None:
    file = tmp_path / "file.zip"
    file.write_bytes(ARCHIVE)
    with pytest.raises(OSError, match="No space left"):
        download.unpack(file, "consul", Path("/dev/full"))


def test_a_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def reply(handler: BaseHTTPRequestHandler, end: Event) -> None:
        asked.append(handler.path)
        whole(ARCHIVE)(handler, end)

    with site(reply) as proxy:
        monkeypatch.setenv("http_proxy", proxy.rpartition("/")[0])
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("LAB_CONSUL_ARCHIVE", "http://releases.invalid/consul.zip")
        program, _ = install(installer(tmp_path, monkeypatch))
    assert program == PROGRAM
    assert set(asked) == {"http://releases.invalid/consul.zip"}


def test_the_folder_changes_with_the_recipe(tmp_path: Path) -> None:
    source = tmp_path / "recipes"
    shutil.copytree(RECIPES, source)
    one = Installer(Home(tmp_path), pins(), source)
    seen = {one.folder("consul").name}
    (source / "consul" / "go-discover" / "discover.go").write_text("package discover\n")
    seen.add(one.folder("consul").name)
    (source / "consul" / "go-discover" / "discover.go").rename(source / "consul" / "go-discover" / "other.go")
    seen.add(one.folder("consul").name)
    pinned = pins()
    other = replace(pinned.archives["consul"], sha256="0" * 64)
    another = Installer(Home(tmp_path), replace(pinned, archives={"consul": other}), source)
    seen.add(another.folder("consul").name)
    assert len(seen) == 4


def test_the_archive_has_the_version_that_is_built() -> None:
    pinned: Pins = pins()
    assert f"v{pinned.archives['consul'].version}" == pinned.go["consul"].version
    address: Archive = pinned.archives["consul"]
    assert address.url("consul", {}).count(address.version) == 2


@pytest.mark.skipif(not shutil.which("go"), reason="runs the go command")
def test_files_of_the_recipe_take_the_place_of_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stub in the recipe is what is compiled, as with Consul's cloud providers."""
    place = tmp_path / "proxy" / "example.org" / "server" / "@v"
    place.mkdir(parents=True)
    main = 'package main\n\nimport "example.org/server/cloud"\n\nfunc main() { println(cloud.Name) }\n'
    (place / "v1.0.0.info").write_text(json.dumps({"Version": "v1.0.0"}))
    (place / "v1.0.0.mod").write_text("module example.org/server\n")
    with zipfile.ZipFile(place / "v1.0.0.zip", "w") as source:
        for name, text in {
            "go.mod": "module example.org/server\n", "main.go": main,
            "cloud/cloud.go": 'package cloud\n\nimport "example.org/large"\n\nconst Name = large.Name\n',
        }.items():  # fmt: skip
            source.writestr(f"example.org/server@v1.0.0/{name}", text)
    for variable, value in (("GOPROXY", f"file://{tmp_path}/proxy"), ("GONOSUMDB", "*"), ("GOSUMDB", "off")):
        monkeypatch.setenv(variable, value)
    recipe = tmp_path / "recipes" / "server"
    (recipe / "cloud").mkdir(parents=True)
    (recipe / "go.mod").write_text("module example.org/server\n\ngo 1.20\n")
    (recipe / "cloud" / "cloud.go").write_text('package cloud\n\nconst Name = "small"\n')
    asked = subprocess.run(
        ["go", "mod", "download", "-json", "example.org/server@v1.0.0"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
        env={**os.environ, "GOMODCACHE": str(tmp_path / "mod"), "GOFLAGS": "-modcacherw"},
    )  # fmt: skip
    module = GoModule("example.org/server", "v1.0.0", json.loads(asked.stdout)["Sum"], ".", "1.20")
    with (tmp_path / "lock").open("w") as lock:
        recipes.build_go(
            Runner(tmp_path / "logs", lock.fileno()), "server", module, "go", tmp_path / "build", tmp_path,
            lambda text: None, recipe.parent,
        )  # fmt: skip
    built = subprocess.run([tmp_path / "server"], capture_output=True, text=True, check=True)
    assert built.stderr == "small\n"
