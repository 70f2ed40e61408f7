"""The system's containers, as the engine reports them."""

import json
import os
import platform
import time
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
    """Return the name of a unit's container."""
    return f"{engine.project()}-{unit}-1"


def any_running() -> bool:
    """Return whether a container of the system runs."""
    label = f"label=com.docker.compose.project={engine.project()}"
    return bool(engine.run("ps", "-q", "--filter", label).stdout.strip())


def folder() -> str:
    """Return the folder from which the containers were created; '' when there are none."""
    label = f"label=com.docker.compose.project={engine.project()}"
    where = '{{.Label "com.docker.compose.project.working_dir"}}'
    return engine.run("ps", "--filter", label, "--format", where).stdout.partition("\n")[0].strip()


def look(units: tuple[str, ...]) -> list[Unit]:
    """Return the state of the units, in their order; a unit without a container is `stopped`."""
    output = engine.run("inspect", "--type", "container", *(name(unit) for unit in units)).stdout
    by_name = {container["Name"].lstrip("/"): container for container in json.loads(output or "[]")}
    usage = {} if _are_here() else _usage()
    return [_unit(unit, by_name.get(name(unit)), usage) for unit in units]


def wait_for_health(units: tuple[str, ...], seconds: float) -> None:
    """Give unhealthy containers time for their next health checks, for at most so many seconds.

    Compose's `up --wait` fails at once when a container is unhealthy, also when it recovers by itself: a
    server that was paused is unhealthy until the first check after its pause.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(unit.state == "unhealthy" for unit in look(units)):
        time.sleep(0.5)


def options() -> tuple[str, ...]:
    """Return the options of `./lab up --with` with which the containers were created."""
    if engine.current() is None:
        return ()
    found = ["observability"] if name("metrics") in _names() else []
    environment = engine.run(
        "inspect", "--type", "container", "--format", "{{.Config.Env}}", name("posts")
    ).stdout
    return tuple(found + (["json-logs"] if "LOG_FORMAT=json" in environment else []))


def _names() -> list[str]:
    label = f"label=com.docker.compose.project={engine.project()}"
    return engine.run("ps", "--all", "--filter", label, "--format", "{{.Names}}").stdout.split()


def pid(unit: str) -> int | None:
    """Return the pid of a unit's main process on the engine's machine; None while it is down."""
    output = engine.run("inspect", "--type", "container", "--format", "{{.State.Pid}}", name(unit)).stdout
    return int(output.strip() or 0) or None


def published(unit: str, port: int) -> str:
    """Return the host:port of this machine that leads to a container's port; '' while it is down."""
    return engine.run("port", name(unit), str(port)).stdout.partition("\n")[0].strip()


def _unit(unit: str, container: dict[str, Any] | None, usage: dict[str, int]) -> Unit:
    if container is None:
        return Unit(unit, "stopped", None, None, 0, None)
    short, status = container["Id"][:12], container["State"]
    pid = int(status["Pid"]) or None
    restarts = int(container.get("RestartCount") or 0)
    if status["Status"] != "running" or pid is None:
        names = {"exited": "stopped", "created": "stopped", "running": "restarting"}
        return Unit(unit, names.get(status["Status"], status["Status"]), pid, short, 0, None, restarts)
    health = (status.get("Health") or {}).get("Status")
    state = health if health in ("starting", "unhealthy") else "running"
    since = datetime.fromisoformat(status["StartedAt"][:19] + "+00:00").timestamp()
    memory = usage.get(name(unit), 0) if usage else _resident(pid)
    return Unit(unit, state, pid, short, memory, since, restarts)


def _are_here() -> bool:
    """Return whether the engine's process ids are those of this machine.

    On another machine the same number belongs to another program. Docker Desktop in WSL is such a case,
    although it is Linux, too.
    """
    current = engine.current()
    return platform.system() == "Linux" and current is not None and current.shares_processes


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and its children."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += int(member.memory_info().rss)
    return total


def _usage() -> dict[str, int]:
    """Return the bytes in use by each container, as the engine reports them; this takes two seconds."""
    factors = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
    usage = {}
    for line in engine.run(
        "stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}"
    ).stdout.splitlines():
        container, _, used = line.partition("\t")
        amount = used.partition(" ")[0]
        number = amount.rstrip("BKMGi")
        with suppress(ValueError, KeyError):
            usage[container] = int(float(number) * factors[amount.removeprefix(number)])
    return usage


def send(unit: str, number: int) -> None:
    """Send a signal to the unit's main process, as in a crash. Raises LabError.

    Not `docker kill`: the engine takes that for the user's wish, and does not restart the container.
    """
    pid = next(unit_.pid for unit_ in look((unit,)))
    if pid is None:
        raise LabError(f"{unit} is not running, so it cannot receive a signal. Start it: ./lab up")
    if _are_here() and Path(f"/proc/{pid}").exists():
        with suppress(PermissionError):
            os.kill(pid, number)
            return
    # The engine's processes belong to another user or a virtual machine, so a container sends the signal.
    engine.must(
        "run", "--rm", "--pid=host", "--network=none", "--cap-drop=ALL", "--cap-add=KILL", "--user=0", IMAGE,
        "python", "-c", f"import os; os.kill({pid}, {int(number)})",
    )  # fmt: skip


def volumes(unit: str) -> list[str]:
    """Return the names of the volumes in which the unit stores its data."""
    each = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    return engine.must("inspect", "--type", "container", "--format", each, name(unit)).split()
