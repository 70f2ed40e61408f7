"""Where the units are, as this process and as the units themselves reach them."""

from typing import Protocol


class Addresses(Protocol):
    """Addresses of the units; the values of settings that depend on them."""

    def endpoints(self) -> dict[str, str]:
        """Addresses by name, as this process reaches them."""

    def host(self, unit: str) -> str:
        """Name or address under which the other units know `unit`, and the catalog lists it."""

    def reach(self, unit: str) -> str:
        """Address at which this process reaches a service; second instances as well.

        It has a port only where that is not the service's own.
        """

    def variables(self) -> dict[str, str]:
        """Values for platform/deployment/settings/*.env, secrets included, for a program of this machine."""

    def listen_host(self) -> str:
        """An address on which a program of this machine can listen so that units reach it."""

    def neighbour(self) -> tuple[str, str]:
        """The gateway's URL for a second client, and the local address that client must use."""
