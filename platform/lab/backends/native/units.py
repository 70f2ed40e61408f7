"""The state of a unit, from what the supervisor reports and what the operating system measures."""

from typing import Any

import psutil

from lab.backends.protocol import Unit


def unit_from(name: str, state: dict[str, Any]) -> Unit:
    """Return the unit as process-compose describes it in `state`, with its processes' memory in bytes."""
    pid = state.get("pid") or None
    # A unit that ended because of SIGTERM did not fail.
    restarts = 0 if state.get("exit_code") in (0, 143) else int(state.get("restarts") or 0)
    if not state.get("is_running") or pid is None:
        return Unit(name, str(state.get("status", "stopped")).lower(), None, None, 0, None, restarts)
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        memory, since = sum(_resident(member) for member in family), process.create_time()
        paused = process.status() == psutil.STATUS_STOPPED  # by SIGSTOP: it neither works nor ends
    except psutil.Error:
        return Unit(name, "restarting", None, None, 0, None, restarts)
    ready = state.get("is_ready") in ("Ready", "-", "", None)
    word = "paused" if paused else "running" if ready else "starting"
    return Unit(name, word, pid, None, memory, since, restarts)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
