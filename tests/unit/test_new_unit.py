"""A made-up service and a made-up worker, added to a copy of the topology, are known everywhere.

The copy of the repository gets what a new unit brings: its entry in the topology, its code and its settings.
No other file is changed. (docker-compose.yml is written by hand; tests/unit/test_topology.py compares it.)
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.home import REPO

TOPOLOGY = """
[units.reviews]
kind = "service"
service = "reviews"
address = 18
second = 38
port = 5000
health = "/health"
path = "reviews"
needs = ["postgresql", "consul"]
map = [270, 590]
faults = ["clock-skew"]

[units.reviews-mailer]
kind = "worker"
service = "reviews"
needs = ["kafka", "redis"]
reads = "kafka"
map = [270, 680]
"""
LOOK = """
import json, sys
from pathlib import Path
import yaml
from click.testing import CliRunner
from civildiy import __main__ as program
from civildiy.provision.run import database_passwords
from lab import topology
from lab.backends import settings
from lab.backends.native import network, processes
from lab.cli import cli
from lab.faults.catalog import FAULTS
from lab.home import Home
from lab.install.servers import ServerPaths
from lab.notebook import system

home = Home(Path(sys.argv[1]))
home.run.mkdir(parents=True)
nowhere = Path("/nowhere")
paths = ServerPaths(*(nowhere,) * 5, None, *(nowhere,) * 3)
values = network.variables() | dict.fromkeys(settings.SECRETS, "x" * 48) | {"KAFKA_LOG_DIRS": "/nowhere"}
written = yaml.safe_load(processes.write(home, paths, values).read_text())["processes"]
groups = [network.group(home, unit) for unit in (*topology.UNITS, *topology.SECONDS)]
logs = CliRunner().invoke(cli, ["logs", "no-such-unit"]).output
print(json.dumps({
    "services": program.SERVICES, "workers": program.WORKERS,
    "started": {name: process["depends_on"] for name, process in written.items()},
    "disabled": [name for name, process in written.items() if process["disabled"]],
    "environment": (home.run / "reviews.sh").read_text(),
    "probe": written["reviews"]["readiness_probe"]["http_get"],
    "secrets": settings.SECRETS,
    "databases": [*database_passwords(settings.read("provision", values))],
    "hosts": [network.host("reviews"), network.host("reviews-2")],
    "one group each": len(groups) == len({*groups}),
    "within": max(groups) < network.FIRST_GROUP + network.GROUPS,
    "arrows": [arrow for arrow in topology.arrows() if {"reviews", "reviews-mailer"} & {*arrow}],
    "ends": [system._ends(*arrow) for arrow in topology.arrows()],
    "kill": next(fault.units for fault in FAULTS if fault.name == "kill"),
    "clock-skew": next(fault.units for fault in FAULTS if fault.name == "clock-skew"),
    "logs": logs,
}, default=list))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with the two units."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(REPO / "platform", root / "platform", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("labs", "checks", "pyproject.toml", "docker-compose.yml", "lab"):
        (root / name).symlink_to(REPO / name)
    with (root / "platform/deployment/topology.toml").open("a", encoding="utf-8") as topology:
        topology.write(TOPOLOGY)
    code = root / "platform/civildiy/reviews"
    (code / "mailer").mkdir(parents=True)
    for file in ("__init__.py", "api.py", "app.py", "mailer/__init__.py"):
        (code / file).touch()
    (code / "mailer/main.py").write_text("def main() -> None:\n    print('the mailer runs')\n")
    settings = root / "platform/deployment/settings"
    (settings / "reviews.env").write_text("POSTGRES_PASSWORD=${REVIEWS_DB_PASSWORD}\n")
    (settings / "reviews-mailer.env").write_text("KAFKA_BOOTSTRAP=${HOST_KAFKA:-kafka}\n")
    return root


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy's code."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAB_CODE")}
    environment["LAB_HOME"] = str(copy / "lab-home")
    environment["PYTHONPATH"] = os.pathsep.join(str(copy / folder) for folder in ("platform", "checks"))
    command = [sys.executable, "-P", *words]
    return subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def seen(copy: Path) -> dict[str, Any]:
    """Return what the parts of the copy know."""
    done = run(copy, "-c", LOOK, str(copy / "home"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_program_finds_their_code(seen: dict[str, Any], copy: Path) -> None:
    assert "reviews" in seen["services"]
    assert seen["workers"]["reviews-mailer"] == "civildiy.reviews.mailer.main"
    assert run(copy, "-m", "civildiy", "reviews-mailer").stdout == "the mailer runs\n"


def test_the_supervisor_starts_them(seen: dict[str, Any]) -> None:
    assert {*seen["started"]["reviews"]} == {"postgresql", "consul"}
    assert {*seen["started"]["reviews-mailer"]} == {"kafka", "redis"}
    assert {"reviews-2", "reviews-mailer-2"} <= {*seen["disabled"]}
    assert seen["probe"]["path"] == "/health"
    assert seen["probe"]["host"] == seen["hosts"][0] != seen["hosts"][1]


def test_the_service_gets_a_database_and_its_password(seen: dict[str, Any]) -> None:
    assert "REVIEWS_DB_PASSWORD" in seen["secrets"]
    assert seen["databases"] == ["auth", "profile", "reviews"]
    assert f"POSTGRES_PASSWORD={'x' * 48}" in seen["environment"]


def test_each_unit_has_a_group_of_its_own(seen: dict[str, Any]) -> None:
    """The packet filter tells the units apart by it."""
    assert seen["one group each"]
    assert seen["within"]


def test_the_map_draws_them(seen: dict[str, Any]) -> None:
    assert seen["arrows"] == [
        ["traefik", "reviews"], ["reviews", "postgresql"], ["kafka", "reviews-mailer"],
        ["reviews-mailer", "redis"],
    ]  # fmt: skip
    assert len(seen["ends"]) == len({tuple(ends) for ends in seen["ends"]}), "two arrows are one"


def test_faults_and_commands_know_them(seen: dict[str, Any]) -> None:
    assert {"reviews", "reviews-mailer"} <= {*seen["kill"]}
    assert "reviews" in seen["clock-skew"]
    assert "reviews-mailer" in seen["logs"]
