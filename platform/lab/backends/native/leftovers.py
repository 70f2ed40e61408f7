"""Processes that an earlier run of this system left behind."""

from contextlib import suppress

import psutil

from lab.backends.native import postgresql
from lab.home import Home
from lab.progress import Progress

OURS = ("postgres", "redis-server", "mongod", "traefik", "consul", "process-compose")


def end_leftovers(home: Home, progress: Progress | None) -> None:
    """End the processes of an earlier run of this system. They are known by their working folders."""
    places = (str(home.stack), str(postgresql.data_folder(home)))
    leftovers = []
    for process in psutil.process_iter(["cwd", "name", "cmdline"]):
        info = process.info
        line = " ".join(info["cmdline"] or [])
        ours = info["name"] in OURS or "kafka.Kafka" in line or "civildiy" in line
        cwd = (info["cwd"] or "").removesuffix(" (deleted)")
        if ours and any(cwd == place or cwd.startswith(place + "/") for place in places):
            leftovers.append(process)
    if leftovers and progress:
        progress.done("leftovers", f"ended {len(leftovers)} processes of an earlier run")
    # The supervisor ends first, because it would start the others again.
    leftovers.sort(key=lambda process: process.info["name"] != "process-compose")
    for process in leftovers:
        _signal(process, kill=process.info["name"] == "process-compose")
    _, stubborn = psutil.wait_procs(leftovers, timeout=15)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=5)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()
