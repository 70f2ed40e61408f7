"""Several systems on one machine: `--as NAME` gives each its own folder and its own addresses.

Two variables keep systems apart: LAB_HOME (files, passwords, sockets) and LAB_LOOPBACK (the first three
numbers of all addresses). `--as NAME` sets both before any other module reads them. A variable that the user
has set wins.
"""

import os
import re
import zlib
from collections.abc import MutableMapping
from pathlib import Path

from lab.errors import LabError
from lab.home import Home
from lab.text import shortened

OPTION = "--as"
NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
"""A name becomes part of the paths of sockets, and the kernel accepts only about 100 characters there."""
SHARED = ("servers", "install.lock")
"""What all systems of one user share: the installed servers, and the lock of their installation."""
NETWORKS = 250
"""Each of two numbers of the address lies between 1 and this."""


def separate(arguments: list[str], environment: MutableMapping[str, str]) -> list[str]:
    """Return the arguments without `--as NAME`, after setting LAB_HOME and LAB_LOOPBACK for that name.

    Raises LabError when the name is missing, given twice, or cannot be used.

    >>> environment = {"LAB_HOME": "/tmp/doctest-lab"}
    >>> separate(["up"], environment), "LAB_LOOPBACK" in environment
    (['up'], False)
    """
    kept, names = taken_out(arguments)
    if not names:
        return kept
    if len(names) > 1:
        raise LabError(f"{OPTION} is given {len(names)} times. Give it once: ./lab up {OPTION} NAME")
    name = names[0]
    if not NAME.fullmatch(name):
        raise LabError(
            f"{OPTION} {shortened(name)}: a name has at most 24 lower-case letters, digits and hyphens, and"
            f" begins with a letter.\nExample: ./lab up {OPTION} ada"
        )
    common = Home.from_environment().root
    if before := environment.get("LAB_AS"):  # called from a terminal of another system's JupyterLab
        common = common.parent.parent if common.parts[-2:] == ("as", before) else common
        environment.pop("LAB_LOOPBACK", None)
    own = common / "as" / name
    _prepare(common, own)
    environment.update(LAB_HOME=str(own), LAB_AS=name)
    environment.setdefault("LAB_LOOPBACK", network(name, os.getuid()))
    return kept


def taken_out(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the other arguments, and the values of the option. What follows `--` is left as it is."""
    kept: list[str] = []
    names: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*kept, argument, *rest], names
        if argument == OPTION:
            value = next(rest, None)
            if value is None:
                raise LabError(f"{OPTION} needs a name: ./lab up {OPTION} NAME")
            names.append(value)
        elif argument.startswith(f"{OPTION}="):
            names.append(argument.removeprefix(f"{OPTION}="))
        else:
            kept.append(argument)
    return kept, names


def network(name: str, user: int) -> str:
    """Return the first three numbers of this system's addresses, the same each time.

    Users who choose the same name get different addresses. Two systems get the same ones with a probability
    of 1 in 62,500; `up` then says that the addresses are taken, and another name helps.

    >>> network("ada", 1000)
    '127.91.170'
    """
    second, third = divmod(zlib.crc32(f"{user}/{name}".encode()) % (NETWORKS * NETWORKS), NETWORKS)
    return f"127.{second + 1}.{third + 1}"


def _prepare(common: Path, own: Path) -> None:
    """Create the folder, with links to what all systems share."""
    (common / "servers").mkdir(parents=True, exist_ok=True)
    own.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        link = own / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(common / name)
