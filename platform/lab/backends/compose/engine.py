"""The container engine, through the `docker` command and its Compose plugin."""

import functools
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from typing import Any

from lab.backends.compose import dotenv
from lab.backends.compose.kinds import Engine, Host, recognise
from lab.errors import LabError

ANSWER_SECONDS = 10


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


def look() -> Engine:
    """Ask the engine, Compose and buildx. Raises LabError when the engine does not answer."""
    return replace(
        _engine(), compose=_version("compose", "version", "--short"), buildx=_version("buildx", "version")
    )


@functools.cache
def current() -> Engine | None:
    """The engine, asked once in the life of this process and without its plugins; None without an answer."""
    try:
        return _engine()
    except LabError:
        return None


def _engine() -> Engine:
    if not shutil.which("docker"):
        raise LabError("There is no `docker` command. Install Docker, or use LAB_BACKEND=native on Linux.")
    asked = run("info", "--format", "{{json .}}")
    info = _document(asked.stdout)
    if asked.returncode != 0 or not ("host" in info or info.get("ServerVersion")):
        last = (asked.stderr.strip() or "it printed no version").splitlines()[-1:]
        raise LabError(
            f"The container engine does not answer ({' '.join(last)}). Start Docker, then run ./lab again."
        )
    version = _document(run("version", "--format", "{{json .}}").stdout)
    return recognise(info, version, Host.this(), _endpoint())


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _endpoint() -> str:
    """The address of the engine: DOCKER_HOST, else that of the client's context."""
    given = os.environ.get("DOCKER_HOST")
    return given or run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()


def _version(*command: str) -> str:
    """The version that a plugin prints; '' when it is missing."""
    asked = run(*command)
    found = re.search(r"v?\d+\.\d+\S*", asked.stdout)
    return found[0] if found and asked.returncode == 0 else ""


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
