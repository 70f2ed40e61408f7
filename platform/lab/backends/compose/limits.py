"""The resources that the Compose files let the containers use."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from lab.home import DEPLOYMENT, REPO

ENDED = ("provision",)
"""Units that have finished when the system is up."""


def memory_limit(options: Iterable[str] = ()) -> int:
    """Return the sum of all memory limits in MiB, with these options of `./lab up --with`."""
    files = [REPO / "docker-compose.yml", *(DEPLOYMENT / "compose" / f"{option}.yaml" for option in options)]
    # A later file replaces the limits of an earlier one.
    return sum({name: limit for file in files for name, limit in _limits(file) if name not in ENDED}.values())


def _limits(file: Path) -> Iterator[tuple[str, int]]:
    for name, service in yaml.safe_load(file.read_text())["services"].items():
        if "mem_limit" in service:
            yield name, int(service["mem_limit"].removesuffix("m"))
