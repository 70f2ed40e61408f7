"""Check the ports and addresses that a user may set, each alone and all together, before anything starts."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.errors import LabError
from lab.text import shortened

LAST = 65_535


@dataclass(frozen=True)
class Listener:
    """One address that a unit listens on, and the variable that changes it."""

    unit: str
    host: str
    port: int
    variable: str


def parse(variable: str, value: str, default: int) -> int:
    """Return `value` as a port number, or the default for ''. Raises LabError.

    >>> parse("LAB_PORT_HTTP", "", 80)
    80
    """
    if not value:
        return default
    # ASCII digits only: int() also accepts digits of other scripts, which the servers reject.
    if not re.fullmatch("[0-9]{1,5}", value) or not 0 < int(value) <= LAST:
        raise LabError(f"{variable}={shortened(value)} is not a port; set it to a number from 1 to {LAST}.")
    return int(value)


def loopback(value: str) -> str:
    """Return the first three numbers of the native backend's addresses. Raises LabError."""
    return _three_numbers("LAB_LOOPBACK", value, "127.0.0", ipaddress.ip_network("127.0.0.0/8"))


def network(value: str) -> str:
    """Return the first three numbers of the addresses in Compose's network. Raises LabError."""
    numbers = _three_numbers("LAB_NETWORK", value, "172.30.41", None)
    address = ipaddress.ip_address(f"{numbers}.1")
    if not address.is_private or address.is_loopback or address.is_link_local or numbers.startswith("0."):
        raise LabError(
            f"LAB_NETWORK={numbers} is not a private network; set it to one such as 172.30.41 (RFC 1918)."
        )
    return numbers


def _three_numbers(
    variable: str, value: str, default: str, within: ipaddress.IPv4Network | ipaddress.IPv6Network | None
) -> str:
    if not value:
        return default
    number = "(0|[1-9][0-9]{0,2})"
    fits = re.fullmatch(rf"{number}\.{number}\.{number}", value) and all(
        int(n) < 256 for n in value.split(".")
    )
    if not fits or (within and ipaddress.ip_address(f"{value}.1") not in within):
        raise LabError(
            f"{variable}={shortened(value)} is not the beginning of an address; set it to the first three"
            f" numbers of one, each from 0 to 255, such as {default}."
        )
    return value


def refuse_conflicts(listeners: Iterable[Listener]) -> None:
    """Raise LabError when two units need the same port of the same address, or a port above 65535."""
    taken: dict[tuple[str, int], Listener] = {}
    lines = []
    for listener in listeners:
        if listener.port > LAST:
            lines.append(
                f"{listener.unit} also needs port {listener.port}, which does not exist."
                f" Give {listener.variable} a number below {LAST}."
            )
            continue
        first = taken.setdefault((listener.host, listener.port), listener)
        if first is not listener:
            movable = [each.variable for each in (listener, first) if each.variable]
            lines.append(
                f"{first.unit} and {listener.unit} both need {listener.host}:{listener.port}."
                f" Give one of them another port: {' or '.join(dict.fromkeys(movable))}=PORT ./lab up"
            )
    if lines:
        raise LabError("\n".join(lines))


def chosen(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for ports and addresses that are set, to compare with a running system's."""
    settable = re.compile(r"LAB_PORT_[A-Z]+|LAB_LOOPBACK|LAB_NETWORK")
    return {name: value for name, value in sorted(variables.items()) if value and settable.fullmatch(name)}
