"""Processor time of running processes, as the operating system counts it.

Unlike latency, it hardly depends on what else the machine does. So it shows a small improvement on a busy
machine as well.
"""

from collections.abc import Iterable
from contextlib import suppress

import psutil

from lab.backends.protocol import Unit


def pids_of(units: Iterable[Unit]) -> list[int]:
    """Return the processes of the units; none if one runs in a container or is down."""
    found = list(units)
    pids = [unit.pid for unit in found if unit.pid is not None and not unit.container]
    return pids if len(pids) == len(found) else []


def seconds(pids: Iterable[int]) -> float:
    """Return the processor seconds that the processes and all their children have used so far."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    # The fields of children hold those that have ended: PostgreSQL starts many.
                    total += sum(member.cpu_times()[:4])
    return total
