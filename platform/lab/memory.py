"""Memory of all units together."""

from contextlib import suppress

import psutil

from lab.backends.protocol import Unit


def together(units: list[Unit]) -> int:
    """Resident bytes of all units, with pages that several processes share counted once.

    The kernel divides such a page among its users (PSS in smaps_rollup). PostgreSQL's processes and ours
    share a quarter of theirs. Where only the plain figure can be read (a container, another user's
    process), that one counts.
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
            except (psutil.AccessDenied, AttributeError):  # macOS has no such figure
                return unit.memory
    return total
