"""Faults of the Compose backend, by the engine. What it cannot do, it says."""

import json

from lab.backends.compose import containers, engine
from lab.backends.compose.network import HOSTS, Addresses
from lab.errors import LabError


class ComposeFaults:
    """What can be done to a unit that is a container."""

    _addresses: Addresses

    def freeze(self, unit: str) -> None:
        """Freeze all processes of the container."""
        engine.must("pause", containers.name(unit))

    def thaw(self, unit: str) -> None:
        """Let them go on."""
        engine.run("unpause", containers.name(unit))  # it says no when nothing is paused

    def cut_off(self, unit: str) -> None:
        """Take the container out of the system's network."""
        engine.must("network", "disconnect", _network(), containers.name(unit))

    def reconnect(self, unit: str) -> None:
        """Put it back under its name and its old address."""
        name = containers.name(unit)
        seen = json.loads(engine.must("inspect", "--type", "container", name))[0]
        if _network() in seen["NetworkSettings"]["Networks"]:
            return
        fixed = HOSTS.get(unit)
        options = ["--ip", f"{self._addresses.base}.{fixed}"] if fixed else []
        engine.must("network", "connect", "--alias", unit, *options, _network(), name)

    def fill_disk(self, unit: str) -> None:
        """Not with an engine: volumes have no limit that could be set while they are used."""
        raise _native_only("full-disk")

    def free_disk(self, unit: str) -> None:
        """There is always room."""

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Not with an engine: containers share the clock of their machine."""
        if seconds:
            raise _native_only("clock-skew")


def _network() -> str:
    return f"{engine.project()}_default"


def _native_only(fault: str) -> LabError:
    return LabError(f"{fault} is possible with LAB_BACKEND=native only.")
