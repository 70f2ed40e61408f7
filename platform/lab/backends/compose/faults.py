"""Faults of the Compose backend, by means of the engine. Impossible faults raise LabError."""

import json

from lab.backends.compose import containers, engine
from lab.backends.compose.network import HOSTS, Addresses
from lab.errors import LabError


class ComposeFaults:
    """The faults of a unit that runs as a container."""

    _addresses: Addresses

    def freeze(self, unit: str) -> None:
        """Pause all processes of the container."""
        engine.must("pause", containers.name(unit))

    def thaw(self, unit: str) -> None:
        """Resume all processes of the container."""
        engine.run("unpause", containers.name(unit))  # fails when nothing is paused, which is no error here

    def cut_off(self, unit: str) -> None:
        """Disconnect the container from the system's network."""
        engine.must("network", "disconnect", _network(), containers.name(unit))

    def reconnect(self, unit: str) -> None:
        """Connect the container again, under its name and its old address."""
        name = containers.name(unit)
        seen = json.loads(engine.must("inspect", "--type", "container", name))[0]
        if _network() in seen["NetworkSettings"]["Networks"]:
            return
        fixed = HOSTS.get(unit)
        options = ["--ip", f"{self._addresses.base}.{fixed}"] if fixed else []
        engine.must("network", "connect", "--alias", unit, *options, _network(), name)

    def fill_disk(self, unit: str) -> None:
        """Refuse: an engine cannot limit a volume that is in use."""
        raise _native_only("full-disk")

    def free_disk(self, unit: str) -> None:
        """Do nothing: `fill_disk` is impossible here."""

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Refuse, except for 0: containers share the clock of their machine."""
        if seconds:
            raise _native_only("clock-skew")


def _network() -> str:
    return f"{engine.project()}_default"


def _native_only(fault: str) -> LabError:
    return LabError(f"The fault {fault} is only possible with LAB_BACKEND=native.")
