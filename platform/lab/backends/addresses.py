"""The protocol for addresses: how this process and the units themselves reach each unit."""

from typing import Protocol


class Addresses(Protocol):
    """Addresses of the units, and the values of settings that depend on them."""

    def endpoints(self) -> dict[str, str]:
        """Return the address of each unit by name, as this process reaches it."""

    def host(self, unit: str) -> str:
        """Return the name or address that other units use for `unit`; Consul's catalog lists it."""

    def reach(self, unit: str) -> str:
        """Return the address at which this process reaches a service or a second instance.

        It contains a port only if that differs from the service's own port.
        """

    def variables(self) -> dict[str, str]:
        """Return values for deployment/settings/*.env, secrets included, for a program of this machine."""

    def listen_host(self) -> str:
        """Return an address on which a program of this machine can listen so that units reach it."""

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's URL for a second client, and the local address that client must use."""
