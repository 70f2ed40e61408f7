"""The system's containers as the engine sees them."""

import json
import os
import platform
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from lab.backends.compose import engine
from lab.backends.protocol import Unit
from lab.errors import LabError

IMAGE = "civildiy-lab:local"


def name(unit: str) -> str:
    """The container of a unit."""
    return f"{engine.project()}-{unit}-1"


def any_running() -> bool:
    """Whether a container of the system runs."""
    label = f"label=com.docker.compose.project={engine.project()}"
    return bool(engine.run("ps", "-q", "--filter", label).stdout.strip())


def folder() -> str:
    """The folder from which the containers were made; '' when there are none."""
    label = f"label=com.docker.compose.project={engine.project()}"
    where = '{{.Label "com.docker.compose.project.working_dir"}}'
    return engine.run("ps", "--filter", label, "--format", where).stdout.partition("\n")[0].strip()


def look(units: tuple[str, ...]) -> list[Unit]:
    """State of the units, in their order; one that has no container is `stopped`."""
    seen = engine.run("inspect", "--type", "container", *(name(unit) for unit in units))
    found = {container["Name"].lstrip("/"): container for container in json.loads(seen.stdout or "[]")}
    usage = {} if _are_here() else _usage()
    return [_unit(unit, found.get(name(unit)), usage) for unit in units]


def pid(unit: str) -> int | None:
    """Process id of a unit's main process, as the engine's machine counts; None while it does not run."""
    asked = engine.run("inspect", "--type", "container", "--format", "{{.State.Pid}}", name(unit))
    return int(asked.stdout.strip() or 0) or None


def published(unit: str, port: int) -> str:
    """host:port of this machine behind which a container's port is; '' while it does not run."""
    return engine.run("port", name(unit), str(port)).stdout.partition("\n")[0].strip()


def _unit(unit: str, container: dict[str, Any] | None, usage: dict[str, int]) -> Unit:
    if container is None:
        return Unit(unit, "stopped", None, None, 0, None)
    short, seen = container["Id"][:12], container["State"]
    pid = int(seen["Pid"]) or None
    restarts = int(container.get("RestartCount") or 0)
    if seen["Status"] != "running" or pid is None:
        words = {"exited": "stopped", "created": "stopped", "running": "restarting"}
        return Unit(unit, words.get(seen["Status"], seen["Status"]), pid, short, 0, None, restarts)
    health = (seen.get("Health") or {}).get("Status")
    state = health if health in ("starting", "unhealthy") else "running"
    since = datetime.fromisoformat(seen["StartedAt"][:19] + "+00:00").timestamp()
    memory = usage.get(name(unit), 0) if usage else _resident(pid)
    return Unit(unit, state, pid, short, memory, since, restarts)


def _are_here() -> bool:
    """Whether the engine's process ids are those of this machine.

    Elsewhere the same number belongs to another program: Docker Desktop in WSL is Linux, too.
    """
    found = engine.current()
    return platform.system() == "Linux" and found is not None and found.shares_processes


def _resident(pid: int) -> int:
    """Resident bytes of a process and its children."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += int(member.memory_info().rss)
    return total


def _usage() -> dict[str, int]:
    """Bytes in use by container, as the engine counts them; it takes two seconds for that."""
    factors = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
    found = {}
    for line in engine.run(
        "stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}"
    ).stdout.splitlines():
        container, _, used = line.partition("\t")
        amount = used.partition(" ")[0]
        number = amount.rstrip("BKMGi")
        with suppress(ValueError, KeyError):
            found[container] = int(float(number) * factors[amount.removeprefix(number)])
    return found


def send(unit: str, number: int) -> None:
    """Send a signal to the unit's main process, as the kernel would on a crash. Raises LabError.

    Not `docker kill`: the engine takes that for a wish, and does not start the container again.
    """
    pid = next(found.pid for found in look((unit,)))
    if pid is None:
        raise LabError(f"{unit} does not run, so it cannot be sent a signal.")
    if _are_here() and Path(f"/proc/{pid}").exists():
        with suppress(PermissionError):
            os.kill(pid, number)
            return
    # The engine's processes are another user's, or in a virtual machine: a short-lived container sends it.
    engine.must(
        "run", "--rm", "--pid=host", "--network=none", "--cap-drop=ALL", "--cap-add=KILL", "--user=0", IMAGE,
        "python", "-c", f"import os; os.kill({pid}, {int(number)})",
    )  # fmt: skip


def volumes(unit: str) -> list[str]:
    """The volumes in which the unit stores its data."""
    each = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    return engine.must("inspect", "--type", "container", "--format", each, name(unit)).split()
