"""Make sure that all servers are installed; this takes a moment only if something is missing.

Each server has its own folder, whose name contains the version and a hash of the recipe. A folder gets this
name when it is complete, so an interrupted installation is never used, and a changed pin installs again.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from lab.home import RECIPES, Home
from lab.install import debian, recipes, toolchain
from lab.install.archive import make_class_archive
from lab.install.command import InstallFailed, Runner
from lab.install.pins import Pins, pins
from lab.install.recipes import ArchiveNotUsed
from lab.install.report import Report


@dataclass(frozen=True)
class ServerPaths:
    """The paths of all servers' programs."""

    postgresql_bin: Path
    redis_server: Path
    mongod: Path
    traefik: Path
    kafka_jars: Path
    kafka_archive: Path | None
    java: Path
    consul: Path
    process_compose: Path


def ensure_servers(home: Home, progress: Report) -> ServerPaths:
    """Install missing servers side by side, and return the paths of all. Raises InstallFailed."""
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
    """Knows the folder of each server, and which folders are complete."""

    def __init__(self, home: Home, pinned: Pins, sources: Path = RECIPES) -> None:
        """`sources` contains a folder for each program whose source is changed before it is built."""
        self._home = home
        self._pins = pinned
        self._sources = sources
        self._finding_go = Lock()

    def folder(self, name: str) -> Path:
        """Return the folder in which `name` is, or will be, installed."""
        recipe = hashlib.sha256()
        if name in self._pins.wheels:
            version = self._pins.wheels[name].version
            recipe.update(repr(self._pins.wheels[name]).encode())
        else:
            is_kafka = name.startswith("kafka")
            version = self._pins.kafka if is_kafka else self._pins.go[name].version
            source = self._sources / ("kafka" if is_kafka else name)
            if not source.exists():
                recipe.update(repr(self._pins.go[name]).encode())
            for file in sorted(path for path in source.rglob("*") if path.is_file()):
                if file.parent != source:
                    recipe.update(str(file.relative_to(source)).encode())
                recipe.update(file.read_bytes())
        if name in self._pins.archives:
            recipe.update(self._pins.archives[name].sha256.encode())
        if name in self._pins.go:
            recipe.update(self._pins.go[name].flags.encode())
        return self._home.servers / f"{name}-{version.removeprefix('v')}-{recipe.hexdigest()[:8]}"

    def is_complete(self) -> bool:
        """Return whether everything is installed."""
        names = ("mongod", "traefik", "kafka", "kafka-archive", "consul", "process-compose")
        return all(self.folder(name).exists() for name in names) and not debian.missing(
            self._pins.debian, kafka_is_there=True
        )

    def paths(self) -> ServerPaths:
        """Return the paths of all programs, once everything is installed."""
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

    def install(self, progress: Report) -> None:
        """Install everything that is missing, under a lock. Raises InstallFailed."""
        with self._locked(progress) as lock:
            runner = Runner(self._home.build / "logs", lock)
            # Building Consul takes longest by far, so it begins first; the downloads run beside it.
            tasks: list[Callable[[], None]] = [
                lambda: self._consul(runner, progress),
                lambda: self._built(runner, "process-compose", progress),
                lambda: self._debian_then_kafka(runner, progress),
                lambda: self._wheel(runner, "mongod", progress),
                lambda: self._wheel(runner, "traefik", progress),
            ]
            with ThreadPoolExecutor(len(tasks)) as threads:
                futures = [threads.submit(task) for task in tasks]
                try:
                    for future in as_completed(futures):
                        future.result()
                except BaseException:
                    runner.end_all()
                    threads.shutdown(cancel_futures=True)
                    raise
            # At the very end, because an interrupted build continues from these files.
            shutil.rmtree(self._home.build, ignore_errors=True)

    def build(self, names: Sequence[str], progress: Report) -> None:
        """Build these programs from source, one after the other. Raises InstallFailed."""
        with self._locked(progress) as lock:
            runner = Runner(self._home.build / "logs", lock)
            try:
                for name in names:
                    self._built(runner, name, progress)
            except BaseException:
                runner.end_all()
                raise
            shutil.rmtree(self._home.build, ignore_errors=True)

    @contextmanager
    def _locked(self, progress: Report) -> Iterator[int]:
        self._home.root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._home.root / "install.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.say("install", "waiting for another ./lab that installs the servers")
                fcntl.flock(lock, fcntl.LOCK_EX)
                progress.done("install", "the other ./lab has finished")
            yield lock
        finally:
            os.close(lock)

    def _fill(self, name: str, recipe: Callable[[Path], None], progress: Report) -> None:
        """Run `recipe` on a new folder, and give the folder its final name when it is complete."""
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

    def _wheel(self, runner: Runner, name: str, progress: Report) -> None:
        wheel, build = self._pins.wheels[name], self._home.build / f"{self.folder(name).name}-wheel"
        self._fill(
            name,
            lambda new: recipes.fetch_wheel(runner, wheel, build, new, lambda text: progress.say(name, text)),
            progress,
        )

    def _debian_then_kafka(self, runner: Runner, progress: Report) -> None:
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

    def _consul(self, runner: Runner, progress: Report) -> None:
        """Install HashiCorp's archive if it can be downloaded, else build Consul from source."""
        self._fill("consul", lambda new: self._archive_or_build(runner, "consul", new, progress), progress)

    def _archive_or_build(self, runner: Runner, name: str, new: Path, progress: Report) -> None:
        archive = self._pins.archives.get(name)
        url = archive.url(name) if archive else ""
        if archive and url:
            build = self._home.build / f"{self.folder(name).name}-archive"
            try:
                recipes.fetch_archive(
                    runner, name, archive, url, build, new, lambda text: progress.say(f"{name} archive", text)
                )
            except ArchiveNotUsed as reason:
                progress.done(f"{name} archive", f"{url} is not used: {reason}. Building from source instead")
            else:
                progress.done(f"{name} archive", f"downloaded from {url}; its checksum is right")
                return
        elif archive:
            progress.done(
                f"{name} archive", f"LAB_{name.upper()}_ARCHIVE is empty, so it is built from source"
            )
        self._build(runner, name, new, progress)

    def _built(self, runner: Runner, name: str, progress: Report) -> None:
        self._fill(name, lambda new: self._build(runner, name, new, progress), progress)

    def _build(self, runner: Runner, name: str, new: Path, progress: Report) -> None:
        def say(text: str) -> None:
            progress.say(name, text)

        module = self._pins.go[name]
        with self._finding_go:  # two builds at the same time share the toolchain, which is fetched once
            here = toolchain.on_path(module.needs_go)
            go = "go" if here else toolchain.fetch(runner, self._pins.wheels["go"], self._home.build, say)
        recipes.build_go(runner, name, module, go, self._home.build / f"{name}-go", new, say, self._sources)


def _on_path(program: str) -> Path:
    found = shutil.which(program)
    if not found:
        raise InstallFailed(f"{program} was installed but is not on PATH. Add its folder to PATH.")
    return Path(found)
