"""Images: the servers' are fetched once, the course's own are built when their code or packages change."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from lab.backends.compose import engine, fitness, process
from lab.backends.compose.kinds import Engine
from lab.errors import LabError
from lab.home import DEPLOYMENT, PLATFORM, REPO
from lab.progress import Progress

DOCKERFILE = DEPLOYMENT / "Dockerfile"
SERVICE, JUPYTER = "civildiy-lab:local", "civildiy-lab-jupyter:local"
BUILT_BY = {SERVICE: "auth", JUPYTER: "jupyterlab"}
"""The service in docker-compose.yml that contains the build instructions of an image."""
IMAGES_SECONDS = 3600.0
"""Long enough for 1.5 GB over a slow network."""


def fingerprints() -> dict[str, str]:
    """Return a hash of what each image is made from: Dockerfile, packages and code."""
    locks = REPO / "requirements"
    code = sorted((PLATFORM / "civildiy").rglob("*.py"))
    return {
        SERVICE: _fingerprint([DOCKERFILE, locks / "services.lock", *code]),
        JUPYTER: _fingerprint([DOCKERFILE, locks / "lab.lock"]),
    }


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(REPO).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def is_current(image: str, fingerprint: str) -> bool:
    """Return whether the engine has the image, built from the current files."""
    label = '{{index .Config.Labels "civildiy.fingerprint"}}'
    return engine.run("image", "inspect", "--format", label, image).stdout.strip() == fingerprint


def used() -> dict[str, str]:
    """Return the full names of all images in docker-compose.yml, each with a service that uses it."""
    services = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
    return {service["image"]: name for name, service in services.items()}


def ensure(
    current: Engine, command: Callable[..., list[str]], environment: Mapping[str, str], progress: Progress
) -> None:
    """Fetch missing images and build outdated ones. Raises LabError.

    `command` turns arguments into a Compose command.
    """
    old = [image for image, made_of in fingerprints().items() if not is_current(image, made_of)]
    if old:
        fitness.refuse_without_builder(current)  # before 1.5 GB are fetched
    absent = [image for image in used() if image not in BUILT_BY and not is_there(image)]
    if absent:
        # `up` would fetch them, too, but without showing progress and within the time limit of a start.
        pull = command("pull", *(used()[image] for image in absent))
        _done(pull, environment, progress, "fetching", absent, fitness.pull_advice(current))
    if old:
        build = command("build", *(BUILT_BY[image] for image in old))
        _done(build, environment, progress, "building", old,
              "Behind a proxy: set HTTP_PROXY and HTTPS_PROXY, and put its certificates into certificates/."
              " Then run ./lab up again.")  # fmt: skip


def is_there(image: str) -> bool:
    """Return whether the engine has the image."""
    return engine.run("image", "inspect", "--format", "{{.Id}}", image).returncode == 0


def _done(command: list[str], environment: Mapping[str, str], progress: Progress, doing: str,
          names: list[str], remedy: str) -> None:  # fmt: skip
    what = f"{doing} {', '.join(names)}"
    progress.say("images", what)
    done = process.run(command, environment, IMAGES_SECONDS, lambda last: progress.say("images", last[:70]))
    if not done.well:
        raise LabError(f"This failed: {what}.{done.end}\n{done.last(12)}\n{remedy}")
    progress.done("images", f"done: {what}")
