"""The options of `./lab up --with OPTION`: parts of the system that not everybody needs.

The choice travels in the variable LAB_WITH, so that a backend and the programs that it starts see the same
one.
"""

import os
from collections.abc import Iterable, Mapping

from lab.topology import OPTIONAL

VARIABLE = "LAB_WITH"
OPTIONS = {
    "observability": "metrics, traces and alerts, with servers of their own",
    "json-logs": "logs as JSON, one object for each line",
}
"""The name of each option, and what it adds."""


def choose(names: Iterable[str]) -> None:
    """Choose these options for the next start of the system, in addition to those that are chosen."""
    os.environ[VARIABLE] = ",".join(dict.fromkeys([*chosen(), *names]))


def chosen(variables: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the chosen options, in the order of OPTIONS; unknown names are left out.

    >>> chosen({"LAB_WITH": "observability"})
    ('observability',)
    """
    named = variables.get(VARIABLE, "").split(",")
    return tuple(option for option in OPTIONS if option in named)


def servers(options: Iterable[str]) -> tuple[str, ...]:
    """Return the servers that these options add."""
    return tuple(server.name for server in OPTIONAL.values() if server.option in options)
