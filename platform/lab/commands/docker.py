"""Commands that only Compose needs: secrets for a plain `docker compose up`, and images without a network."""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import click

from lab.backends.compose import dotenv, engine
from lab.backends.compose.images import used
from lab.backends.compose.network import Addresses, environment_with
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.home import REPO
from lab.terminal import Console

BUNDLE = "civildiy-classroom.tar"
IMAGES, WHEELS = "images.tar", "wheels"


def images() -> list[str]:
    """The full names of all images that docker-compose.yml uses."""
    return sorted(used())


def bundle(file: Path) -> None:
    """Write all images, and the packages that ./lab itself needs, into one archive.

    Raises LabError that names a missing image.
    """
    missing = [name for name in images() if engine.run("image", "inspect", name).returncode != 0]
    if missing:
        raise LabError(f"These images are not here yet: {', '.join(missing)}. Run ./lab up once, then again.")
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        engine.must("save", "--output", f"{folder}/{IMAGES}", *images(), timeout=None)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
               "--only-binary=:all:", "--dest", f"{folder}/{WHEELS}", "--requirement",
               str(REPO / "requirements" / "lab.lock")]  # fmt: skip
        if subprocess.run(pip, check=False).returncode != 0:
            raise LabError("The packages of ./lab could not be fetched (see above).")
        new = Path(folder) / file.name
        with tarfile.open(new, "w") as archive:
            for name in (WHEELS, IMAGES):
                archive.add(f"{folder}/{name}", arcname=name)
        new.replace(file)


def unbundle(file: Path) -> list[str]:
    """Load an archive that `bundle` wrote; returns the names of its images. Raises LabError."""
    if not file.exists():
        raise LabError(f"There is no {file}. Write it where there is a network: ./lab bundle {file.name}")
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        try:
            with tarfile.open(file) as archive:
                archive.extract(IMAGES, folder, filter="data")
        except (tarfile.TarError, KeyError) as error:
            raise LabError(f"{file} is not an archive of ./lab bundle, or was cut off: {error}") from error
        said = engine.must("load", "--input", f"{folder}/{IMAGES}", timeout=None)
    return [line.partition(": ")[2] for line in said.splitlines() if line.startswith("Loaded image: ")]


def register(cli: click.Group, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    def secrets() -> None:
        """Make the secrets in .env that `docker compose up` asks for; those that are there stay."""
        found = engine.current()
        moved = Addresses(environment_with(dotenv.read())).moved()
        dotenv.ensure(dotenv.owner(rootless=bool(found and found.rootless)) | moved)
        console.print("The secrets are in .env. Next: docker compose up -d --wait")

    @cli.command("bundle")
    @click.argument("file", default=BUNDLE, type=Path)
    def write_bundle(file: Path) -> None:
        """Write all images and packages into one archive, for machines without a network."""
        _need_compose(backend)
        bundle(file)
        console.print(f"{file}: {len(images())} images, {file.stat().st_size / 1e6:.0f} MB."
                      f" There: ./lab unbundle {file.name}", soft_wrap=True)  # fmt: skip

    @cli.command("unbundle")
    @click.argument("file", default=BUNDLE, type=Path)
    def read_bundle(file: Path) -> None:
        """Load the images of an archive, so that ./lab up needs no network."""
        _need_compose(backend)
        found = unbundle(file)
        console.print(f"{len(found)} images loaded. Next: ./lab up")


def _need_compose(backend: Backend) -> None:
    if backend.kind != "compose":
        raise LabError("This is for Docker Compose, and no container engine answers. Start Docker first.")
