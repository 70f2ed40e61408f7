"""Try, before a run begins, what a cell needs from the kernel, and say in sentences what protects from code.

`python -m lab.classroom.trial` enters the namespaces of a cell without a system, and prints as JSON what it
could do. It is a process of its own, because nobody can leave a namespace again.
"""

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import environment
from lab.classroom import cell, cgroups, confine, kernel, places, second_user
from lab.classroom.job import CONFINED_USER
from lab.classroom.refusal import refused
from lab.errors import LabError
from lab.home import PLATFORM, REPO, Home

READABLE = stat.S_IROTH | stat.S_IXOTH


@dataclass(frozen=True)
class Trial:
    """What this user may do on this machine. `refusal` is a sentence; '' when cells work."""

    refusal: str = ""
    second_user: bool = False
    """Learners' code can run as another user than the command; always true for root."""
    landlock: int = 0
    """The version of Landlock; 0 without it."""
    groups: bool = False
    """The kernel limits memory and processes of a whole cell."""


def tried(home: Home) -> Trial:
    """Try it, in a process of its own. Takes less than a second."""
    env = environment.own() | {"LAB_HOME": str(home.root), "PYTHONPATH": str(PLATFORM)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lab.classroom.trial"],
        cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    try:
        return Trial(**json.loads(done.stdout))
    except ValueError:
        last = (done.stdout + done.stderr).strip().splitlines()[-3:]
        return Trial(f"The trial of a sandbox failed (exit code {done.returncode}): {' / '.join(last)}")


def sentences(found: Trial) -> list[str]:
    """Return what protects the verdicts and the machine in this run. The first one is about the verdicts."""
    other = found.second_user
    if other:
        verdict = "Learners' code runs as another user, so it cannot write its own verdict."
    else:
        verdict = (
            "Learners' code runs as your own user: hostile code cannot leave its sandbox, but it can write"
            " its own verdict. For marks that count, install newuidmap (Debian, Ubuntu: sudo apt-get install"
            " uidmap), or run this as root in a virtual machine."
        )
    lines = [verdict, "Each lab of each submission has its own processes, network, memory and files."]
    if found.landlock:
        lines.append(f"Landlock (version {found.landlock}) limits which files the code reads and writes.")
    elif other:
        lines.append("This kernel has no Landlock; the code can read what every user can read.")
    else:
        lines.append("This kernel has no Landlock; the code can read what you can read, except in /home.")
    lines.append(
        "Control groups limit memory and processes of the whole system."
        if found.groups
        else "You may not create control groups; memory is measured four times a second instead."
    )
    return lines


def main() -> None:
    """Try it with a second user first, then without, and print the result."""
    home = Home.from_environment()
    root = os.geteuid() == 0
    groups, landlock = cgroups.delegated(), confine.landlock_version()
    second = not root and second_user.granted() is not None and _others_can_read(home)
    refusal = _refusal(home, second)
    if refusal and second:
        second = False
        refusal = _refusal(home, second)
    print(json.dumps(asdict(Trial(refusal, root or second, landlock, groups))))


def _others_can_read(home: Home) -> bool:
    """Return whether a second user may read the course, Python and the servers."""
    return all(path.stat().st_mode & READABLE == READABLE for path in places.needed(home))


def _refusal(home: Home, second: bool) -> str:
    """Enter the namespaces of a cell in a child process, and return the sentence of a refusal."""
    answer, said = os.pipe()
    if not os.fork():
        try:
            cell.enter_namespaces(second)
            _mount(home, second)
        except OSError as error:
            os.write(said, str(refused(error)).encode())
        except LabError as error:
            os.write(said, str(error).encode())
        finally:
            os._exit(0)
    os.close(said)
    with os.fdopen(answer, encoding="utf-8") as told:
        text = told.read()
    os.wait()
    return text


def _mount(home: Home, second: bool) -> None:
    """Mount as a cell does, start a process namespace, and become the second user.

    Raises OSError, or LabError.
    """
    mount = places.choose_mount(places.needed(home))
    kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.tmpfs(mount, 1)
    kernel.set_read_only(Path("/"), read_only=True, below=True)
    kernel.unshare(kernel.CLONE_NEWPID)
    if child := os.fork():
        number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if number:
            raise OSError(number, os.strerror(number), "/proc")
        return
    try:
        cell.mount_proc()
        if second:
            os.setresuid(CONFINED_USER, CONFINED_USER, CONFINED_USER)
        os._exit(0)
    except OSError as error:
        os._exit(error.errno or 1)


if __name__ == "__main__":
    main()
