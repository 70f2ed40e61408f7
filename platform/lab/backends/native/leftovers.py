"""Processes that an earlier run of this stack left behind."""

from contextlib import suppress

import psutil

from lab.backends.native import postgresql
from lab.home import Home
from lab.progress import Progress

OURS = ("postgres", "redis-server", "mongod", "traefik", "consul", "process-compose")


def end_leftovers(home: Home, progress: Progress | None) -> None:
    """End processes of an earlier run of this very stack, known by where they work."""
    places = (str(home.stack), str(postgresql.data_folder(home)))
    found = []
    for process in psutil.process_iter(["cwd", "name", "cmdline"]):
        info = process.info
        line = " ".join(info["cmdline"] or [])
        ours = info["name"] in OURS or "kafka.Kafka" in line or "civildiy" in line
        cwd = (info["cwd"] or "").removesuffix(" (deleted)")
        if ours and any(cwd == place or cwd.startswith(place + "/") for place in places):
            found.append(process)
    if found and progress:
        progress.done("leftovers", f"ended {len(found)} processes of an earlier run")
    # The supervisor first: it would start the others again.
    found.sort(key=lambda process: process.info["name"] != "process-compose")
    for process in found:
        _signal(process, kill=process.info["name"] == "process-compose")
    _, stubborn = psutil.wait_procs(found, timeout=15)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=5)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()
