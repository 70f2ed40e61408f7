"""`docker compose` with the files and variables of this system."""

import os

from lab import options
from lab.backends import overrides
from lab.backends.compose import containers, dotenv, engine, fitness, images, overlays
from lab.backends.compose.network import Addresses
from lab.backends.user_settings import without_foreign
from lab.home import REPO, Home


class Composition:
    """The command line and the environment for every call of `docker compose`."""

    def __init__(self, home: Home, addresses: Addresses) -> None:
        self._home = home
        self._addresses = addresses

    def command(self, *arguments: str, every_option: bool = False) -> list[str]:
        """Return the command line for `docker compose` with `arguments`.

        `every_option` adds the files of all options, also of those with which no container runs now.
        """
        with_options = tuple(options.OPTIONS) if every_option else options.chosen() or containers.options()
        files = overlays.files(engine.current(), self._addresses.published, with_options)
        chosen = [word for file in files for word in ("--file", str(file))]
        return ["docker", "compose", "--project-directory", str(REPO), *chosen, *arguments]

    def environment(self) -> dict[str, str]:
        """Return the user's environment with the variables that the Compose files need.

        The secrets are those of .env, which `./lab` reads as well.
        """
        return {**without_foreign(os.environ), **self.variables()}

    def variables(self) -> dict[str, str]:
        """Return the variables that the Compose files need in addition to .env."""
        fingerprints = images.fingerprints()
        variables = {
            "LAB_OVERRIDES": str(overrides.folder(self._home)),
            "LAB_FINGERPRINT": fingerprints[images.SERVICE],
            "LAB_JUPYTER_FINGERPRINT": fingerprints[images.JUPYTER],
            "COMPOSE_PROGRESS": "plain",
            **self.depends_on_engine(),
        }
        if current := engine.current():
            variables |= fitness.builder(current)
        if self._addresses.published:
            variables |= {"LAB_KAFKA_OUTSIDE": f"127.0.0.1:{self._addresses.port('kafka')}"}
        return variables

    def depends_on_engine(self) -> dict[str, str]:
        """Return the variables that `docker compose` also needs in .env when a user runs it directly."""
        current = engine.current()
        return dotenv.owner(rootless=bool(current and current.rootless)) | self._addresses.moved()
