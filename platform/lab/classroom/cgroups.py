"""Limits of the kernel for all processes of a cell together: cgroups of version 2, or of version 1.

A user may create groups only where root or systemd has delegated a part of the tree. Without such a place the
cell has no common limits, and `Memory` measures it from outside.
"""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
V1 = {"memory": "memory.limit_in_bytes", "pids": "pids.max"}
V2 = {"memory": "memory.max", "pids": "pids.max"}
OTHER_PROCESSES = 1500
"""Threads of all servers and services of one system; measured: about 400."""


def create(name: str, memory: int, processes: int) -> tuple[Path, ...]:
    """Create a group with these limits, and return its folders; () where this user may not create one."""
    limits = {"memory": str(memory), "pids": str(processes + OTHER_PROCESSES)}
    for folders, files in _places(name):
        made: list[Path] = []
        try:
            for kind, folder in folders.items():
                if folder not in made:
                    with suppress(OSError):
                        folder.rmdir()  # left by a run that was killed
                    if files is V2:
                        _switch_on(folder.parent, files)
                    folder.mkdir()
                    made.append(folder)
                (folder / files[kind]).write_text(limits[kind])
                with suppress(OSError):  # without swap accounting there is no such file
                    (folder / "memory.swap.max").write_text("0")
            _try_to_enter(made)
        except OSError:
            remove(tuple(made))
            continue
        return tuple(made)
    return ()


def _switch_on(above: Path, files: dict[str, str]) -> None:
    """In version 2, let groups below `above` have these limits, where that is allowed and not done yet."""
    control = above / "cgroup.subtree_control"
    if missing := {*files} - {*" ".join(_lines(control)).split()}:
        with suppress(OSError):  # refused for a group with processes of its own: the limit is then missing
            control.write_text(" ".join(f"+{kind}" for kind in sorted(missing)))


def _try_to_enter(groups: list[Path]) -> None:
    """Raise OSError where the kernel lets this user create a group and move no process into it."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            for group in groups:
                (group / "cgroup.procs").write_text(str(process.pid))
        finally:
            process.kill()


def _places(name: str) -> list[tuple[dict[str, Path], dict[str, str]]]:
    """Return where a group may be created, the best place first."""
    own = {
        kinds: path.strip()
        for _, kinds, path in (line.split(":", 2) for line in _lines(Path("/proc/self/cgroup")))
    }
    found = []
    if (ROOT / "cgroup.controllers").exists():
        here = ROOT / own.get("", "/").lstrip("/")
        # A group with processes cannot have limited groups below it, so a neighbour is the first choice.
        for above in dict.fromkeys((here.parent, here)):
            # In a group namespace, a group outside has a path that begins with "..".
            if above.is_relative_to(ROOT) and ".." not in above.parts:
                found.append((dict.fromkeys(V2, above / name), V2))
    elif all((ROOT / kind).is_dir() for kind in V1):
        found.append(({kind: ROOT / kind / own.get(kind, "/").lstrip("/") / name for kind in V1}, V1))
    return found


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def remaining(groups: tuple[Path, ...]) -> int:
    """Return how many processes a group still has."""
    return max((len(_lines(group / "cgroup.procs")) for group in groups), default=0)


def remove(groups: tuple[Path, ...]) -> bool:
    """Remove a group as soon as the kernel has ended its processes; return whether it is gone."""
    deadline = time.monotonic() + 10
    for group in groups:
        while group.exists():
            with suppress(OSError):
                group.rmdir()
                break
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
    return True


def killed_for_memory(groups: tuple[Path, ...]) -> bool:
    """Return whether the kernel has ended a process of the group because of its memory."""
    for group in groups:
        for name in ("memory.events", "memory.oom_control"):
            for line in _lines(group / name):
                word, _, count = line.partition(" ")
                if word == "oom_kill" and count.strip().isdigit() and int(count):
                    return True
    return False


def delegated() -> bool:
    """Return whether this user can create a limited group."""
    made = create(f"civildiy-lab-probe-{os.getpid()}", 10**9, 100)
    remove(made)
    return bool(made)
