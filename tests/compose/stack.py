"""The system under Compose, for the tests of this folder: an engine, images, and what belongs to this run."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compose import step
from compose.images import StandIns, added, wanted
from compose.kills import MemoryKills
from compose.machine import Machine

from lab.backends.compose import engine, images
from lab.backends.native.backend import NativeBackend
from lab.backends.settings import read_pairs
from lab.errors import LabError
from lab.home import REPO, Home
from lab.install import optional
from lab.install.pins import pins
from lab.install.servers import Installer, ensure_servers
from lab.progress import Progress
from lab.terminal import Console

PROXY = "http://192.0.2.1:3128"
"""Where nobody is: what asks this proxy gets no answer."""
OWN = {
    # Beside whatever else runs on this machine: other containers, network, ports, and learner's files.
    "COMPOSE_PROJECT_NAME": "civildiy-test", "LAB_NETWORK": "172.30.43", "LAB_BACKEND": "compose",
    "LAB_PORT_HTTP": "18000", "LAB_PORT_DASHBOARD": "18080", "LAB_PORT_CONSUL": "18500",
    "LAB_PORT_JUPYTER": "18888", "LAB_PORT_METRICS": "18428", "LAB_PORT_TRACES": "26686",
    "LAB_PORT_ALERTS": "18880", "LAB_OVERRIDES": str(Home.from_environment().root / "engine" / "overrides"),
}  # fmt: skip


STEP_SECONDS = 600.0
"""The longest that one command may take, unless the caller gives another limit."""


class Stack:
    """Runs commands against the engine; `seconds` and `figures` are reported at the end."""

    def __init__(
        self, environment: dict[str, str], client: Path | None = None, stand_ins: StandIns | None = None
    ) -> None:
        """`client` and `stand_ins`: settings and images, where the engine is the tests' own."""
        self._client = client
        self._stand_ins = stand_ins
        # Not inside the surrounding pytest's environment: what it starts are runs of their own.
        outside = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
        made_of = images.fingerprints()
        # So that ./lab takes the images for its own, which `docker compose build` has made.
        labels = {
            "LAB_FINGERPRINT": made_of[images.SERVICE],
            "LAB_JUPYTER_FINGERPRINT": made_of[images.JUPYTER],
        }
        self.environment = outside | OWN | labels
        self.seconds: dict[str, float] = {}
        self.figures: list[str] = []
        self.memory_kills = MemoryKills()

    def run(self, *command: object, code: int = 0, seconds: float = STEP_SECONDS) -> str:
        """Run a command; returns what it printed. Fails when it does not end with `code`, or not in time."""
        ended, said = step.run(command, self.environment, seconds, REPO)
        line = " ".join(str(part) for part in command)
        assert ended == code, f"{line} ended with {ended}:\n{said[-6000:]}"
        return said

    def timed(self, what: str, *command: object, seconds: float = STEP_SECONDS) -> str:
        """Run a command and keep how long it took."""
        began = time.monotonic()
        said = self.run(*command, seconds=seconds)
        self.seconds[what] = time.monotonic() - began
        return said

    def secrets(self) -> dict[str, str]:
        """Return what .env holds."""
        return read_pairs(REPO / ".env")

    def tell_of_a_proxy(self, told: bool) -> None:
        """Tell the engine's client of a proxy (or no more); what it makes then is told as well.

        As in a company. Nothing is done where the client's settings are somebody's own.
        """
        if self._client and told:
            proxies = {"default": {"httpProxy": PROXY, "httpsProxy": PROXY, "allProxy": PROXY}}
            self._client.write_text(json.dumps({"proxies": proxies}))
        elif self._client:
            self._client.unlink(missing_ok=True)

    def make_images(self, option: str) -> None:
        """Make the images that an option adds; somebody's engine pulls them. Raises LabError."""
        if self._stand_ins:
            home = Home.from_environment()
            if modules := optional.missing(home, (option,)):
                with Progress(Console()) as progress:
                    Installer(home, pins()).build(modules, progress)
            self._stand_ins.make(added(option))

    def all_containers(self) -> list[dict[str, Any]]:
        """Return what `docker inspect` says of each container of the project."""
        label = "label=com.docker.compose.project=civildiy-test"
        ids = self.run("docker", "ps", "--all", "--quiet", "--filter", label).split()
        found: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", *ids)) if ids else []
        return found

    def compose(self, *arguments: object) -> str:
        """`docker compose …` as a learner types it: the file as it is, nothing else."""
        return self.run("docker", "compose", *arguments)

    def remove(self) -> None:
        """Containers, network and volumes of this project, and what was told to run a learner's files."""
        self.lab("secrets")  # Compose reads the whole file, also to remove
        self.tell_of_a_proxy(False)
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", 5)
        if left := self.volumes():  # of an option that docker-compose.yml does not know
            self.run("docker", "volume", "rm", *left)
        shutil.rmtree(OWN["LAB_OVERRIDES"], ignore_errors=True)

    def volumes(self) -> list[str]:
        """Return the names of the project's volumes."""
        label = f"label=com.docker.compose.project={OWN['COMPOSE_PROJECT_NAME']}"
        return self.run("docker", "volume", "ls", "--quiet", "--filter", label).split()

    def lab(self, *arguments: object, code: int = 0) -> str:
        """`./lab …`."""
        return self.run(*self.lab_words(*arguments), code=code)

    def lab_words(self, *arguments: object) -> list[object]:
        """Return the words of `./lab …`."""
        return [sys.executable, "-P", "-m", "lab", *arguments]

    def kill(self, unit: str) -> None:
        """kill -9 of a unit's main process, through the backend that the tests are about."""
        program = "import sys; from support import kill; kill(sys.argv[1])"
        paths = os.pathsep.join(str(REPO / part) for part in ("platform", "tests", "checks"))
        self.run("env", f"PYTHONPATH={paths}", sys.executable, "-c", program, unit)

    def state(self, unit: str) -> dict[str, Any]:
        """Return the engine's view of a unit: Pid, Paused, Running, OOMKilled."""
        found: dict[str, Any] = self.container(unit)["State"]
        return found

    def container(self, unit: str) -> dict[str, Any]:
        """Return what `docker inspect` says of a unit."""
        found: dict[str, Any] = json.loads(self.run("docker", "inspect", f"civildiy-test-{unit}-1"))[0]
        return found


@contextmanager
def stack(home: Home) -> Iterator[Stack]:
    """Yield the machine's engine, or one made for the purpose; the native stack rests meanwhile.

    Raises LabError when no engine can be started.
    """
    native = NativeBackend(home)
    was_up = native.running()
    if was_up:
        native.stop()
    try:
        with _engine(home) as found:
            # What an earlier run, cut off, left behind.
            found.remove()
            try:
                with found.memory_kills.watched(found.environment, OWN["COMPOSE_PROJECT_NAME"]):
                    yield found
            finally:
                found.remove()
    finally:
        if was_up:
            command = [sys.executable, "-P", "-m", "lab", "up"]
            step.run(command, {**os.environ, "LAB_BACKEND": "native"}, STEP_SECONDS, REPO)


@contextmanager
def _engine(home: Home) -> Iterator[Stack]:
    if engine.answers():
        yield Stack(dict(os.environ))
        return
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError("No container engine answers, and only root on Linux can start one for the tests.")
    machine = Machine(home)
    began = time.monotonic()
    machine.install()
    with Progress(Console()) as progress:
        ensure_servers(home, progress)
    client = Path(machine.environment["DOCKER_CONFIG"]) / "config.json"
    client.unlink(missing_ok=True)  # images are made without a proxy
    with machine.engine():
        stand_ins = StandIns(machine, home)
        found = Stack(machine.environment, client, stand_ins)
        found.seconds["engine"] = time.monotonic() - began
        began = time.monotonic()
        stand_ins.make(wanted())
        found.seconds["stand-in images"] = time.monotonic() - began
        yield found
