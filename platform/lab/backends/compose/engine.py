"""The container engine, used through the `docker` command and its Compose plugin."""

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
    """Return whether there is a `docker` command and an engine that answers it."""
    if not shutil.which("docker"):
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def look() -> Engine:
    """Query the engine, Compose and buildx. Raises LabError when the engine does not answer."""
    return replace(
        _engine(), compose=_version("compose", "version", "--short"), buildx=_version("buildx", "version")
    )


@functools.cache
def current() -> Engine | None:
    """Return the engine without its plugins; None if it does not answer. It is queried once per process."""
    try:
        return _engine()
    except LabError:
        return None


def _engine() -> Engine:
    if not shutil.which("docker"):
        raise LabError("There is no `docker` command. Install Docker, or set LAB_BACKEND=native on Linux.")
    done = run("info", "--format", "{{json .}}")
    info = _document(done.stdout)
    if done.returncode != 0 or not ("host" in info or info.get("ServerVersion")):
        last = (done.stderr.strip() or "it printed no version").splitlines()[-1:]
        raise LabError(
            f"The container engine does not answer ({' '.join(last)}). Start Docker, then run ./lab again."
        )
    version = _document(run("version", "--format", "{{json .}}").stdout)
    return recognise(info, version, Host.this(), _endpoint())


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _endpoint() -> str:
    """Return the engine's address: DOCKER_HOST, else the one of the client's context."""
    address = os.environ.get("DOCKER_HOST")
    return address or run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()


def _version(*command: str) -> str:
    """Return the version that a plugin prints; '' when the plugin is missing."""
    done = run(*command)
    match = re.search(r"v?\d+\.\d+\S*", done.stdout)
    return match[0] if match and done.returncode == 0 else ""


def run(*arguments: str, timeout: float | None = 120) -> "subprocess.CompletedProcess[str]":
    """Run `docker …` and return its result, whatever its exit code. Raises LabError after `timeout`."""
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"`{' '.join(command[:3])} …` did not end within {timeout:.0f} s."
            " The engine may be busy or hanging: check `docker ps`, then run ./lab again."
        ) from error


def must(*arguments: str, timeout: float | None = 120) -> str:
    """Run `docker …` and return its output. Raises LabError with its last line when it fails."""
    done = run(*arguments, timeout=timeout)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise LabError(f"`docker {arguments[0]}` failed: {' '.join(last)}")
    return done.stdout


def project() -> str:
    """Return the name of the Compose project, with which the names of all containers begin."""
    name = "COMPOSE_PROJECT_NAME"  # Compose reads it from the environment and from .env
    return os.environ.get(name) or dotenv.read().get(name) or "civildiy"
