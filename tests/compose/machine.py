"""A container engine of the tests' own, for machines that have none: Debian's, and Compose from source.

Everything lies in one folder of the home and is kept, so that a second run starts in seconds. The engine
listens on a socket in that folder only: nothing else on the machine takes notice of it.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lab.errors import LabError
from lab.home import Home

PACKAGES = {"dockerd": "docker.io", "docker": "docker.io", "iptables": "iptables", "mmdebstrap": "mmdebstrap"}
COMPOSE = "github.com/docker/compose/v2"
VERSION = "v2.40.3"
SUM = "h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI="
START_SECONDS = 60


class Machine:
    """The engine's folder, and the environment in which `docker` reaches the engine."""

    def __init__(self, home: Home) -> None:
        self.root = Path(os.environ.get("LAB_ENGINE") or home.root / "engine")
        self._socket = self.root / "docker.sock"
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{self._socket}",
            "DOCKER_CONFIG": str(self.root / "config"),
        }

    def run(self, *command: object, timeout: float = 1200, **options: object) -> str:
        """Run a command that reaches the engine; returns what it printed. Raises LabError."""
        words = [str(part) for part in command]
        done = subprocess.run(
            words, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout, check=False, **options,  # type: ignore[call-overload]
        )  # fmt: skip
        if done.returncode != 0:
            raise LabError(f"{' '.join(words[:4])} … failed:\n{done.stdout[-3000:]}")
        return str(done.stdout)

    def install(self) -> None:
        """Debian's engine and a Compose plugin, where they are missing. Raises LabError."""
        self.root.mkdir(parents=True, exist_ok=True)
        missing = sorted({package for program, package in PACKAGES.items() if not shutil.which(program)})
        if missing:
            apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
            self.environment["DEBIAN_FRONTEND"] = "noninteractive"
            with suppress(LabError):  # old lists may do as well
                self.run(*apt, "update")
            self.run(*apt, "install", "-y", "--no-install-recommends", *missing)
        plugin = self.root / "config" / "cli-plugins" / "docker-compose"
        if not plugin.exists():
            self._build_compose(plugin)

    def _build_compose(self, plugin: Path) -> None:
        build = self.root / "build"
        env = {
            "GOMODCACHE": str(build / "mod"), "GOCACHE": str(build / "cache"), "GOWORK": "off",
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false", "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }  # fmt: skip
        build.mkdir(exist_ok=True)
        download = subprocess.run(
            ["go", "mod", "download", "-json", f"{COMPOSE}@{VERSION}"],
            env=self.environment | env, cwd=build, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        source = json.loads(download.stdout)
        if source["Sum"] != SUM:
            raise LabError(f"The source of Compose {VERSION} has checksum {source['Sum']}, not {SUM}")
        flags = f"-s -w -X {COMPOSE}/internal.Version={VERSION}"
        new = build / "docker-compose"
        kept, self.environment = self.environment, self.environment | env
        try:
            self.run("go", "build", "-trimpath", "-tags", "fsnotify", "-ldflags", flags, "-o", new, "./cmd",
                     cwd=source["Dir"])  # fmt: skip
        finally:
            self.environment = kept
        plugin.parent.mkdir(parents=True, exist_ok=True)
        new.replace(plugin)
        shutil.rmtree(build, ignore_errors=True)

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Run the engine. Raises LabError with the end of its log when it does not come up."""
        self._end_leftover()
        policy = self._forward_policy()
        log = self.root / "dockerd.log"
        with log.open("wb") as out:
            engine = subprocess.Popen(
                ["dockerd", "--data-root", self.root / "data", "--exec-root", self.root / "exec",
                 "--pidfile", self.root / "dockerd.pid", "-H", f"unix://{self._socket}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + START_SECONDS
            while subprocess.run(["docker", "info"], env=self.environment, capture_output=True).returncode:
                if engine.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"No container engine came up:\n{log.read_text()[-3000:]}")
                time.sleep(0.2)
            yield
        finally:
            engine.terminate()
            try:
                engine.wait(60)
            except subprocess.TimeoutExpired:
                engine.kill()
                engine.wait()
            self._leave_network_as_it_was(policy)

    def _end_leftover(self) -> None:
        """End an engine that an earlier run, cut off, left in this folder."""
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int((self.root / "dockerd.pid").read_text()))
            if process.name() == "dockerd" and str(self.root) in " ".join(process.cmdline()):
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        (self.root / "dockerd.pid").unlink(missing_ok=True)

    def _forward_policy(self) -> str:
        asked = subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=False)
        return asked.stdout.split("\n")[0].rpartition(" ")[2] or "ACCEPT"

    def _leave_network_as_it_was(self, policy: str) -> None:
        subprocess.run(["iptables", "-P", "FORWARD", policy], capture_output=True, check=False)
        for name in psutil.net_if_addrs():
            if name == "docker0" or name.startswith("br-"):
                subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
