"""Start a cell for a job, watch its time and memory, and end all of it."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from lab import environment
from lab.classroom import cgroups
from lab.classroom.job import LOG, Job, Result
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import PLATFORM, REPO, Home

START_SECONDS = 180.0
"""For the start of the system, its verification and the change to the learner's code, before LAB_SLOW."""
LOOK_SECONDS = 0.25


@contextmanager
def one_at_a_time(home: Home) -> Iterator[None]:
    """Hold the lock for judging in this home, and remove what a killed run left. Raises LabError."""
    folder = home.root / "class"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                "Another ./lab class check is running in this LAB_HOME. Wait for its end, or use another one."
            ) from None
        for left in folder.glob("cell-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def run(home: Home, job: Job, files: Mapping[str, bytes], memory_mb: int, keep: Path | None = None) -> Result:
    """Run a job in a cell and return its result. `keep` gets what the job leaves in the folder stack.

    After the return no process of the cell exists. Raises LabError where the kernel refuses a cell, and
    KeyboardInterrupt after Ctrl-C, also when the cell is ended.
    """
    folder = home.root / "class" / f"cell-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # The name is that of the home, so the next run removes what a killed one has left.
    name = f"civildiy-lab-{zlib.crc32(str(home.root).encode()):08x}"
    groups = cgroups.create(name, memory_mb * 10**6, job.processes)
    try:
        for name, content in files.items():
            file = folder / "labs" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        Job(**{**vars(job), "cgroups": tuple(map(str, groups))}).write(folder)
        result = _watched(home, job, folder, groups, memory_mb)
        if keep and (folder / "stack").is_dir():
            shutil.rmtree(keep, ignore_errors=True)
            (folder / "stack").rename(keep)
        return result
    finally:
        if not cgroups.remove(groups):
            left = cgroups.remaining(groups)
            raise LabError(f"{left} processes of a submission did not end. Restart this machine.")
        shutil.rmtree(folder, ignore_errors=True)


def _watched(home: Home, job: Job, folder: Path, groups: tuple[Path, ...], memory_mb: int) -> Result:
    command = [sys.executable, "-P", "-m", "lab.classroom.cell", str(folder)]
    env = environment.own() | {"LAB_HOME": str(home.root), "PYTHONPATH": str(PLATFORM)}
    deadline = time.monotonic() + START_SECONDS * slow() + job.seconds
    why, too_large = "", False
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command, cwd=REPO, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        while process.poll() is None and not why:
            time.sleep(LOOK_SECONDS)
            if time.monotonic() > deadline:
                why = "The submission did not end in time, not even after the time limit of its checks."
            elif not groups and _memory(process.pid) > memory_mb * 10**6:
                why, too_large = f"The submission's system used more than {memory_mb:,} MB of memory.", True
    finally:
        process.kill()  # the kernel then ends every process of the cell
        process.wait()
    result = Result.read(folder)
    if cgroups.killed_for_memory(groups):
        too_large = True
        why = f"The kernel ended a process, because the system used more than {memory_mb:,} MB of memory."
    if result is None:
        last = (folder / LOG).read_text(errors="replace").strip().splitlines()[-12:]
        if process.returncode == 1 and not why:
            raise LabError("\n".join(last))
        said = why or f"The cell ended with code {process.returncode}: {' / '.join(last)}"
        return Result(trouble=said, too_large=too_large)
    if why and not result.trouble:
        result.said = f"{why}\n{result.said}"
    return result


def _memory(pid: int) -> int:
    """Return the resident bytes of a process and of all its descendants."""
    try:
        parent = psutil.Process(pid)
        return sum(_resident(one) for one in (parent, *parent.children(recursive=True)))
    except psutil.Error:
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
