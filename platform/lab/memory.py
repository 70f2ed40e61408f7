"""Memory that all units use together."""

from contextlib import suppress

import psutil

from lab.backends.protocol import Unit


def together(units: list[Unit]) -> int:
    """Return the resident bytes of all units, with each page that processes share counted once.

    Linux reports a proportional set size (PSS in smaps_rollup): a page that four processes share counts a
    quarter for each. PostgreSQL's processes and the services share about a quarter of theirs. Where only
    the resident size can be read (a container, another user's process), that size counts.
    """
    return sum(_of(unit) for unit in units)


def _of(unit: Unit) -> int:
    if unit.pid is None or unit.container:
        return unit.memory
    try:
        process = psutil.Process(unit.pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return unit.memory
    total = 0
    for member in family:
        with suppress(psutil.NoSuchProcess):
            try:
                total += int(member.memory_full_info().pss)
            except (psutil.AccessDenied, AttributeError):  # AttributeError: macOS has no PSS
                return unit.memory
    return total
