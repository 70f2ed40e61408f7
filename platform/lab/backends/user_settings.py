"""The settings of the services that a user may choose in the environment, and those of other programs.

`platform/deployment/settings/*.env` names variables such as LOG_LEVEL and HOST_REDIS. A user's shell may set
the same names for other programs, and Compose would take them from there.
"""

import re
from collections.abc import Mapping

from civildiy.chassis.cors import origins
from civildiy.contracts.posts.envelope import MOST_PARTITIONS
from lab.backends.settings import SECRETS
from lab.errors import LabError
from lab.home import SETTINGS

CHOSEN = ("CORS_ORIGINS", "LAB_TRACE_RATIO", "LAB_PARTITIONS")


def chosen(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the user has chosen for the services."""
    return {name: variables[name] for name in CHOSEN if variables.get(name)}


def refuse_wrong(variables: Mapping[str, str]) -> None:
    """Raise LabError for a value with which a service would not start."""
    try:
        origins(variables.get("CORS_ORIGINS", ""))
    except ValueError as error:
        raise LabError(f"CORS_ORIGINS lists pages that may call the API: {error}.") from None
    partitions = variables.get("LAB_PARTITIONS") or "1"
    if not partitions.isascii() or not partitions.isdigit() or not 1 <= int(partitions) <= MOST_PARTITIONS:
        raise LabError(
            f"LAB_PARTITIONS is {partitions[:40]!r}. It is the number of partitions of a new topic: a whole"
            f" number from 1 to {MOST_PARTITIONS}. Without it there is one."
        )


def without_foreign(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that only .env and the backend may set."""
    ours = {name for file in SETTINGS.glob("*.env") for name in re.findall(r"\$\{(\w+)", file.read_text())}
    foreign = (ours | {*SECRETS}) - {*CHOSEN}
    return {name: value for name, value in variables.items() if name not in foreign}
