"""Run one job alone on a system of its own, in namespaces of Linux: `python -m lab.classroom.cell OUT`.

The process leaves the machine's process table, network, shared memory and file system behind, and becomes the
first process of a cell. When it ends, or when the command outside ends, the kernel ends every process of the
cell. OUT holds job.json, and gets result.json. Without root, a user namespace gives the rights for this.
"""

import json
import os
import shlex
import sys
from pathlib import Path

from lab.classroom import confine, kernel, places, second_user
from lab.classroom.job import CONFINED_USER, FILE_BYTES, JOB, MEMORY_BYTES, Job
from lab.classroom.refusal import refused
from lab.errors import LabError
from lab.home import PLATFORM, REPO, Home

OTHER_PROCESSES = 800
"""Without a user of their own, the limit of a learner's processes also counts those of all servers."""
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/dev/urandom", "/dev/random")


def enter(job: Job, out: Path, home: Home) -> places.Places:
    """Move this process into the namespaces of a cell. Raises LabError where the kernel refuses."""
    os.umask(0o022)  # the second user reads what this one creates
    try:
        enter_namespaces(job.second_user)
        reference = Path(job.reference) if job.reference else None
        where = places.build(
            home, out, reference, job.disk_mb, [Path(path) for path in job.hide], others=_another_user(job)
        )
        # Last, because the next child of this process is the first process of the cell.
        kernel.unshare(kernel.CLONE_NEWPID)
        return where
    except OSError as error:
        raise refused(error) from error


def enter_namespaces(second: bool) -> None:
    """Move this process into new namespaces of mounts, network and shared memory. Raises OSError.

    Without root, a user namespace gives the rights for this; `second`: with a second user in it.
    """
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET
    if os.geteuid() == 0:
        kernel.unshare(flags)
    else:
        second_user.enter_user_namespace(flags, second_user.granted() if second else None)
    kernel.raise_loopback()


def mount_proc() -> None:
    """Show only the processes of this process namespace in /proc. Raises OSError."""
    # Read-only, because root may change settings of the kernel there without any capability.
    flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", Path("/proc"), "proc", flags)


def _another_user(job: Job) -> bool:
    return job.second_user or os.geteuid() == 0


def write_launcher(where: places.Places, job: Job, home: Home) -> Path:
    """Write the script that starts every process which may run a learner's code, and return it."""
    root, other = os.geteuid() == 0, _another_user(job)
    reads = [*SYSTEM, *map(str, places.needed(home)), str(REPO)]
    options = [
        f"--memory={MEMORY_BYTES}", f"--file={FILE_BYTES}",
        f"--processes={job.processes + (0 if other else OTHER_PROCESSES)}",
        *([f"--user={CONFINED_USER}"] if other else []),
        *([] if root or not other else [f"--group={CONFINED_USER}"]),
        *(f"--read={path}" for path in reads), f"--write={where.scratch}",
    ]  # fmt: skip
    command = [sys.executable, "-I", "-S", str(Path(confine.__file__)), *options, "--"]
    script = where.mount / "confine.sh"
    scratch = shlex.quote(str(where.scratch))
    script.write_text(
        f'#!/bin/sh\nexport TMPDIR={scratch} HOME={scratch}\nexec {shlex.join(command)} "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


def environment(where: places.Places, launcher: Path) -> dict[str, str]:
    """Return the variables of the cell: the standard ports, because its network is its own."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LAB_SLOW", "JAVA_HOME")}
    return kept | {
        "LAB_HOME": str(where.home), "LAB_BACKEND": "native", "LAB_CONFINE": str(launcher),
        "TMPDIR": str(where.tmp), "HOME": str(where.tmp), "PYTHONPATH": str(PLATFORM), "LANG": "C.UTF-8",
    }  # fmt: skip


def main() -> None:
    """Enter the cell, run the job in it, and end with its exit code."""
    kernel.die_with_parent()
    out = Path(sys.argv[1])
    job = Job.from_json(json.loads((out / JOB).read_text(encoding="utf-8")))
    home = Home.from_environment()
    for group in job.cgroups:
        (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    try:
        where = enter(job, out, home)
        launcher = write_launcher(where, job, home)
    except LabError as error:
        sys.exit(str(error))
    os.chdir(REPO)
    if child := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    kernel.die_with_parent()
    try:
        mount_proc()
    except OSError as error:
        print(refused(error), flush=True)
        os._exit(1)
    os._exit(_first_process(where, environment(where, launcher), job.second_user))


def _first_process(where: places.Places, variables: dict[str, str], second: bool) -> int:
    """Start the job and wait for all processes of the cell, as the first process of a system does."""
    worker = os.fork()
    if not worker:
        kernel.drop_capabilities()
        if second:
            kernel.hand_on(second_user.HANDED_ON)
        command = [sys.executable, "-P", "-m", "lab.classroom.inside", str(where.out)]
        os.execve(command[0], command, variables)  # noqa: S606
    while True:
        ended, status = os.wait()
        if ended == worker:
            return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    main()
