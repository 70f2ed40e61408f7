"""Report containers that the kernel killed for memory, or that the engine had to restart.

A restarted container forgets that it was killed, so the engine's `oom` events are read as well:

    docker events --filter event=oom --format '{{.Actor.Attributes.name}}' > oom.log &
    python .github/scripts/deaths.py PROJECT oom.log --no-restarts

Exit code 1: a container was killed for memory or, with --no-restarts, was restarted.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def faults(containers: list[dict[str, Any]], oom: str, restarts_are_faults: bool) -> list[str]:
    """Return one sentence for each fault. `oom`: the engine's events, one container name a line."""
    found = [f"{name} ran out of memory." for name in sorted(set(oom.split()))]
    for container in containers:
        name, restarts = container["Name"].lstrip("/"), container["RestartCount"]
        if container["State"]["OOMKilled"] and f"{name} ran out of memory." not in found:
            found.append(f"{name} ran out of memory.")
        if restarts_are_faults and restarts:
            found.append(f"{name} was restarted {restarts} times.")
    return found


def table(containers: list[dict[str, Any]]) -> str:
    """Return a line for each container: its state, restarts, and whether it was killed for memory."""
    lines = [f"{'container':32} {'state':12} {'restarts':>8}  killed for memory"]
    for container in sorted(containers, key=lambda each: str(each["Name"])):
        state = container["State"]
        killed = "yes" if state["OOMKilled"] else "no"
        lines.append(f"{container['Name'].lstrip('/'):32} {state['Status']:12}"
                     f" {container['RestartCount']:>8}  {killed}")  # fmt: skip
    return "\n".join(lines)


def inspected(project: str) -> list[dict[str, Any]]:
    """Return what the engine reports about all containers of a Compose project."""
    label = f"label=com.docker.compose.project={project}"
    ids = _docker("ps", "--all", "--quiet", "--filter", label).split()
    if not ids:
        sys.exit(f"The project {project} has no containers, so nothing was checked.")
    found: list[dict[str, Any]] = json.loads(_docker("inspect", *ids))
    return found


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    project, log, *options = sys.argv[1:]
    seen = inspected(project)
    print(table(seen))
    wrong = faults(seen, Path(log).read_text(), "--no-restarts" in options)
    print("\n".join(wrong) or "No container was killed for memory.")
    sys.exit(bool(wrong))
