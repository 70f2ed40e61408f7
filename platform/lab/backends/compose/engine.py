"""The container engine, through the `docker` command and its Compose plugin."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from lab.backends.compose import dotenv
from lab.errors import LabError

OLDEST_ENGINE = (20, 10)
OLDEST_COMPOSE = (2, 24)
"""The first that takes an env_file which need not exist."""
LEAST_MEMORY = 2_000_000_000
"""Bytes; the limits of all containers together are a little more, what they use is less."""
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Seen:
    """What the engine said of itself; `memory` in bytes."""

    engine: str
    compose: str
    memory: int


def answers() -> bool:
    """Whether there is a `docker` command with an engine behind it."""
    if not shutil.which("docker"):
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        asked = subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def look() -> Seen:
    """Ask engine and Compose. Raises LabError when one of them does not answer."""
    if not shutil.which("docker"):
        raise LabError("There is no `docker` command. Install Docker, or use LAB_BACKEND=native on Linux.")
    asked = run("info", "--format", "{{json .ServerVersion}} {{json .MemTotal}}")
    parts = asked.stdout.split()
    if asked.returncode != 0 or len(parts) != 2 or parts[0] == '""':
        last = (asked.stderr.strip() or asked.stdout.strip()).splitlines()[-1:]
        raise LabError(
            f"The container engine does not answer ({' '.join(last)}). Start Docker, then run ./lab again."
        )
    compose = run("compose", "version", "--short")
    return Seen(
        json.loads(parts[0]), compose.stdout.strip() if compose.returncode == 0 else "", int(parts[1])
    )


def refuse_unfit(seen: Seen) -> None:
    """Raise LabError, in one line, for an engine that cannot run the system."""
    if _version(seen.engine) < OLDEST_ENGINE:
        raise LabError(f"The container engine is {seen.engine}; the oldest that works is"
                       f" {_words(OLDEST_ENGINE)}. Update Docker.")  # fmt: skip
    if not seen.compose:
        raise LabError(
            f"`docker compose` is missing. Install the Compose plugin {_words(OLDEST_COMPOSE)} or newer."
        )
    if _version(seen.compose) < OLDEST_COMPOSE:
        raise LabError(f"Docker Compose is {seen.compose}; {_words(OLDEST_COMPOSE)} is the oldest that works."
                       " Update it.")  # fmt: skip
    if seen.memory < LEAST_MEMORY:
        raise LabError(
            f"The container engine has {seen.memory / 1e9:.1f} GB of memory; the system needs"
            f" {LEAST_MEMORY / 1e9:.0f} GB. Give it more (Docker Desktop: Settings, Resources)."
        )


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _words(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def run(*arguments: str, timeout: float | None = 120) -> "subprocess.CompletedProcess[str]":
    """`docker …`, whatever comes of it."""
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"`{' '.join(command[:3])} …` did not end in {timeout:.0f} s. Is the engine busy?"
        ) from error


def must(*arguments: str, timeout: float | None = 120) -> str:
    """`docker …` that has to work; returns what it printed. Raises LabError with its words."""
    done = run(*arguments, timeout=timeout)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise LabError(f"docker {arguments[0]}: {' '.join(last)}")
    return done.stdout


def project() -> str:
    """The name that all containers of the system carry."""
    name = "COMPOSE_PROJECT_NAME"  # Compose reads it from both places
    return os.environ.get(name) or dotenv.read().get(name) or "civildiy"
