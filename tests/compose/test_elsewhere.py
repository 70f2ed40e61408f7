"""Other machines: a classroom without a network, and an engine whose containers cannot be reached."""

import json
import sys
import tarfile
from pathlib import Path

import pytest
from compose.stack import Stack

from lab.backends.compose.bundle import WHEELS, images
from lab.home import REPO

pytestmark = pytest.mark.campaign
OWN = "civildiy-lab:local"


def image_id(on_compose: Stack, name: str) -> str:
    return on_compose.run("docker", "image", "inspect", "--format", "{{.Id}}", name).strip()


def test_classroom_needs_the_network_once(on_compose: Stack, tmp_path: Path) -> None:
    on_compose.lab("up")  # builds the images, if no earlier test has
    archive = tmp_path / "classroom.tar"
    on_compose.timed("bundle", sys.executable, "-P", "-m", "lab", "bundle", archive)
    on_compose.figures.append(f"bundle: {archive.stat().st_size / 1e6:.0f} MB")
    before = {name: image_id(on_compose, name) for name in images()}
    on_compose.lab("down")
    on_compose.run("docker", "image", "rm", "--force", *before)
    on_compose.run("docker", "image", "inspect", OWN, code=1)
    on_compose.timed("unbundle", sys.executable, "-P", "-m", "lab", "unbundle", archive)
    assert {name: image_id(on_compose, name) for name in images()} == before
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if member.name.startswith(WHEELS)]
        opened.extractall(tmp_path, members=members, filter="data")
    # All that ./lab needs is in it: pip finds every package of the lock without an index.
    lock = REPO / "requirements" / "lab.lock"
    options = ["--dry-run", "--quiet", "--ignore-installed", "--no-index", "--require-hashes"]
    on_compose.run(
        sys.executable, "-m", "pip", "install", *options, "--find-links", tmp_path / WHEELS, "-r", lock
    )


def test_servers_on_loopback_where_containers_are_not_reached(on_compose: Stack) -> None:
    """As with Docker Desktop; ./lab decides by what the engine reports, and LAB_REACH by hand."""
    on_compose.lab("down")
    on_compose.environment["LAB_REACH"] = "published"
    try:
        on_compose.lab("up")
        addresses = json.loads(on_compose.lab("endpoints", "--json"))
        assert {address.rpartition("/")[2].partition(":")[0] for address in addresses.values()} == {
            "127.0.0.1"
        }
        on_compose.lab("demo")
        for file in ("tests/live/test_api.py", "checks/test_06_events.py"):
            on_compose.run(sys.executable, "-m", "pytest", "-q", file)
    finally:
        on_compose.lab("down")
        del on_compose.environment["LAB_REACH"]
