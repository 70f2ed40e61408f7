"""Commands for Docker Compose only: secrets for `docker compose up`, and images for offline machines."""

from pathlib import Path

import click

from lab.backends.compose import dotenv, engine
from lab.backends.compose.bundle import BUNDLE, bundle, images, unbundle
from lab.backends.compose.network import Addresses, environment_with
from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.terminal import Console


def register(cli: click.Group, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    def secrets() -> None:
        """Create missing secrets in .env for `docker compose up`."""
        current = engine.current()
        moved = Addresses(environment_with(dotenv.read())).moved()
        dotenv.ensure(dotenv.owner(rootless=bool(current and current.rootless)) | moved)
        console.print("The secrets are in .env. Next: docker compose up -d --wait")

    @cli.command("bundle")
    @click.argument("file", default=BUNDLE, type=Path)
    def write_bundle(file: Path) -> None:
        """Write all images and packages into one archive. It is for machines without a network."""
        _need_compose(backend)
        bundle(file)
        console.print(f"{file}: {len(images())} images, {file.stat().st_size / 1e6:.0f} MB."
                      f" On the other machine: ./lab unbundle {file.name}", soft_wrap=True)  # fmt: skip

    @cli.command("unbundle")
    @click.argument("file", default=BUNDLE, type=Path)
    def read_bundle(file: Path) -> None:
        """Load the images of an archive. Then ./lab up needs no network."""
        _need_compose(backend)
        loaded = unbundle(file)
        console.print(f"{len(loaded)} images loaded. Next: ./lab up")


def _need_compose(backend: Backend) -> None:
    if backend.kind != "compose":
        raise LabError(
            "This command needs Docker Compose, but no container engine answers. Start Docker and try again."
        )
