"""Ports and addresses that a user may set: each value, and all of them together, before anything starts."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.errors import LabError
from lab.text import shortened

LAST = 65_535


@dataclass(frozen=True)
class Listener:
    """One address that a unit listens on, and the variable that moves it."""

    unit: str
    host: str
    port: int
    variable: str


def parse(variable: str, given: str, default: int) -> int:
    """The port that `given` names, or the default for ''. Raises LabError.

    >>> parse("LAB_PORT_HTTP", "", 80)
    80
    """
    if not given:
        return default
    # ASCII digits only: Python takes those of other scripts as well, programs behind it do not.
    if not re.fullmatch("[0-9]{1,5}", given) or not 0 < int(given) <= LAST:
        raise LabError(f"{variable}={shortened(given)} is not a port; give a number from 1 to {LAST}.")
    return int(given)


def loopback(given: str) -> str:
    """The first three numbers of the native backend's addresses. Raises LabError."""
    return _three_numbers("LAB_LOOPBACK", given, "127.0.0", ipaddress.ip_network("127.0.0.0/8"))


def network(given: str) -> str:
    """The first three numbers of the project's network in Compose. Raises LabError."""
    found = _three_numbers("LAB_NETWORK", given, "172.30.41", None)
    address = ipaddress.ip_address(f"{found}.1")
    if not address.is_private or address.is_loopback or address.is_link_local or found.startswith("0."):
        raise LabError(
            f"LAB_NETWORK={found} is not a private network; give one such as 172.30.41 or 10.1.2 (RFC 1918)."
        )
    return found


def _three_numbers(
    variable: str, given: str, default: str, within: ipaddress.IPv4Network | ipaddress.IPv6Network | None
) -> str:
    if not given:
        return default
    number = "(0|[1-9][0-9]{0,2})"
    fits = re.fullmatch(rf"{number}\.{number}\.{number}", given) and all(
        int(n) < 256 for n in given.split(".")
    )
    if not fits or (within and ipaddress.ip_address(f"{given}.1") not in within):
        raise LabError(
            f"{variable}={shortened(given)} is not the beginning of an address; give three numbers"
            f" from 0 to 255 such as {default}, without the last one."
        )
    return given


def refuse_conflicts(listeners: Iterable[Listener]) -> None:
    """Raise LabError when two units want the same port of the same address, or a port that does not exist."""
    taken: dict[tuple[str, int], Listener] = {}
    lines = []
    for wanted in listeners:
        if wanted.port > LAST:
            lines.append(
                f"{wanted.unit} also needs port {wanted.port}, which does not exist."
                f" Give {wanted.variable} a number below {LAST}."
            )
            continue
        first = taken.setdefault((wanted.host, wanted.port), wanted)
        if first is not wanted:
            movable = [one.variable for one in (wanted, first) if one.variable]
            lines.append(
                f"{first.unit} and {wanted.unit} both want {wanted.host}:{wanted.port}."
                f" Give one of them another port: {' or '.join(dict.fromkeys(movable))}=PORT ./lab up"
            )
    if lines:
        raise LabError("\n".join(lines))


def chosen(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables about ports and addresses that are set, to compare with those of a running system."""
    wanted = re.compile(r"LAB_PORT_[A-Z]+|LAB_LOOPBACK|LAB_NETWORK")
    return {name: value for name, value in sorted(variables.items()) if value and wanted.fullmatch(name)}
