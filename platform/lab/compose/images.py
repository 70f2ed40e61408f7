"""The images of our own: built when the code or the packages in them have changed."""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.compose import engine
from lab.errors import LabError
from lab.home import PLATFORM, REPO
from lab.progress import Progress

DOCKERFILE = PLATFORM / "Dockerfile"
SERVICE, JUPYTER = "civildiy-lab:local", "civildiy-lab-jupyter:local"
BUILT_BY = {SERVICE: "auth", JUPYTER: "jupyterlab"}
"""The service in docker-compose.yml that says how an image is built."""


def fingerprints() -> dict[str, str]:
    """What each image is made of: recipe, packages, and the code that it holds."""
    locks = REPO / "requirements"
    code = sorted((PLATFORM / "civildiy").rglob("*.py"))
    return {
        SERVICE: _fingerprint([DOCKERFILE, locks / "services.lock", *code]),
        JUPYTER: _fingerprint([DOCKERFILE, locks / "lab.lock"]),
    }


def _fingerprint(files: list[Path]) -> str:
    found = hashlib.sha256()
    for file in files:
        found.update(file.relative_to(REPO).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]


def is_current(image: str, fingerprint: str) -> bool:
    """Whether the engine has the image, made from what is here now."""
    label = '{{index .Config.Labels "civildiy.fingerprint"}}'
    return engine.run("image", "inspect", "--format", label, image).stdout.strip() == fingerprint


def ensure(command: Callable[..., list[str]], environment: Mapping[str, str], progress: Progress) -> None:
    """Build what is not current. `command` makes a Compose command. Raises LabError."""
    old = [image for image, made_of in fingerprints().items() if not is_current(image, made_of)]
    if not old:
        return
    progress.say("images", f"building {', '.join(old)}")
    child = subprocess.Popen(
        command("build", *(BUILT_BY[image] for image in old)), env=dict(environment), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line.rstrip())
        progress.say("images", lines[-1][:70])
    if child.wait() != 0:
        last = "\n".join(f"  {line}" for line in lines[-12:])
        raise LabError(
            f"The images could not be built:\n{last}\nBehind a proxy: set HTTP_PROXY and HTTPS_PROXY,"
            " and put its certificates into certificates/. Then run ./lab up again."
        )
    progress.done("images", f"built {', '.join(old)}")
