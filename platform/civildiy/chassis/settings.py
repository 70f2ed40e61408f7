"""The settings that every service reads from its environment.

A service refuses to start when a required variable is missing: there are no defaults for
addresses or secrets. docs/settings.md lists all variables.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from civildiy.chassis.cors import origins
from civildiy.chassis.loading import SettingsRefused, load_settings
from civildiy.chassis.observability.logging import LogSettings

__all__ = ["SHORTEST_SECRET", "Port", "Secret", "ServiceSettings", "SettingsRefused", "load_settings"]

SHORTEST_SECRET = 16
"""Characters."""


def _refuse_short(value: str) -> str:
    if len(value) < SHORTEST_SECRET:
        raise ValueError(f"at least {SHORTEST_SECRET} characters, for example from `openssl rand -hex 32`")
    return value


def _listed(value: object) -> object:
    return origins(value) if isinstance(value, str) else value


Port = Annotated[int, Field(ge=1, le=65535)]
Secret = Annotated[SecretStr, BeforeValidator(_refuse_short)]


class ServiceSettings(LogSettings):
    """The settings of the chassis; each service adds its own in a subclass."""

    service_host: str
    """Host name or address under which the other services reach this instance."""
    service_port: Port = 5000
    service_id: str = ""
    """Instance id in Consul; empty means '<service>-<host>', the same after each restart."""
    bind_host: str = ""
    """Address to listen on; empty means service_host."""
    consul_host: str
    consul_port: Port = 8500
    gateway_secret: Secret
    """The gateway sends it with each request, which proves that X-User-ID comes from the gateway."""
    auth_check_url: str
    """The URL at which the gateway validates a token (forwardAuth)."""
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Origins whose pages may call the API, separated by commas; see civildiy.chassis.cors."""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    """Time for the gateways to see the deregistration (measured: 0.3 s) before the port closes."""
