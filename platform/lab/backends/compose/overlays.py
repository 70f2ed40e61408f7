"""The Compose files that `./lab` adds to docker-compose.yml, depending on the engine."""

from collections.abc import Iterable
from pathlib import Path

from lab.backends.compose.fitness import parsed
from lab.backends.compose.kinds import PODMAN, Engine
from lab.home import DEPLOYMENT, REPO

OVERLAYS = DEPLOYMENT / "compose"
ALWAYS = (REPO / "docker-compose.yml", OVERLAYS / "more.yaml")
PUBLISHED = (OVERLAYS / "published.yaml", OVERLAYS / "second" / "published.yaml")
QUICK = OVERLAYS / "quick.yaml"
FIRST_WITH_START_INTERVAL = (25, 0)
"""The first engine with `start_interval`; with an older one, Compose refuses the file that has it."""


def files(engine: Engine | None, published: bool, options: Iterable[str] = ()) -> tuple[Path, ...]:
    """Return all Compose files. `published`: the servers are reached on 127.0.0.1.

    `options` are those of `./lab up --with`; each has a file of its own.
    """
    quick = engine and engine.product != PODMAN and parsed(engine.version) >= FIRST_WITH_START_INTERVAL
    added = (OVERLAYS / f"{option}.yaml" for option in options)
    return (*ALWAYS, *(PUBLISHED if published else ()), *((QUICK,) if quick else ()), *added)
