"""The native backend: process-compose supervises the servers and services as processes of this machine."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
import psutil

from lab.backends import overrides
from lab.backends.native import kafka, network, postgresql, processes, started
from lab.backends.native.faults import NativeFaults
from lab.backends.native.guards import one_at_a_time, refuse_full_disk
from lab.backends.native.leftovers import end_leftovers
from lab.backends.native.supervisor import Refused, Supervisor
from lab.backends.protocol import Unit
from lab.backends.settings import ensure_secrets, read
from lab.errors import LabError
from lab.home import REPO, Home
from lab.install.servers import ServerPaths, ensure_servers
from lab.progress import Progress
from lab.topology import SECONDS, UNITS

LONGEST_LOG = 10_000_000
"""Bytes. A log that is larger is renamed to *.log.1 at the next `up`."""


class NativeBackend(NativeFaults):
    """The system as processes; there is one for each home."""

    kind = "native"

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._supervisor = Supervisor(home.run / "supervisor.sock")

    def running(self) -> bool:
        """Return whether the supervisor answers."""
        return self._supervisor.answers()

    def belongs_elsewhere(self) -> str:
        """Return the other clone whose code the running system uses; '' when it is this one."""
        note = self._home.run / "repository"
        there = note.read_text() if note.exists() else str(REPO)
        return "" if there == str(REPO) else there

    def start(self, progress: Progress) -> None:
        """Install missing servers, then start all units. Raises LabError."""
        self.refuse_wrong_settings()
        paths = ensure_servers(self._home, progress)
        # Held until the supervisor answers: a second ./lab would take its processes for leftovers.
        with one_at_a_time(self._home, progress):
            if self.running():
                self._start_stopped_units()
                return
            end_leftovers(self._home, progress)
            network.refuse_taken_ports()
            refuse_full_disk(self._home)
            self._prepare(paths, progress)
            config = processes.write(self._home, paths, self.variables())
            (self._home.run / "repository").write_text(str(REPO))
            started.note(self._home)
            self._supervisor.start(paths.process_compose, config, self._home)

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for ports that cannot work or differ from those of the running system."""
        network.refuse_wrong_settings()
        if self.running():
            started.refuse_other(self._home)

    def provision(self) -> None:
        """Run the script that sets up the servers again. Raises LabError."""
        started.provision(self._home)

    def _start_stopped_units(self) -> None:
        """Start units that a user or a killed test left stopped or paused."""
        for unit in self.units():
            if unit.name in UNITS:
                self.thaw(unit.name)
                self.start_unit(unit.name)

    def stop(self) -> None:
        """Stop all units in order, and kill what does not react."""
        with one_at_a_time(self._home, None):
            if self.running():
                with suppress(httpx.HTTPError):  # the supervisor may end before it answers
                    self._supervisor.ask("POST", "/project/stop", timeout=60)
                deadline = time.monotonic() + 30
                while self.running() and time.monotonic() < deadline:
                    time.sleep(0.1)
            end_leftovers(self._home, None)

    def restart(self, unit: str) -> None:
        """Restart one unit."""
        self._supervisor.order("POST", f"/process/restart/{unit}", unit)

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until `start_unit` is called."""
        self._supervisor.order("PATCH", f"/process/stop/{unit}", unit)

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit. Leave a running one alone; wait for one that is stopping."""
        deadline = time.monotonic() + processes.SERVER_END_SECONDS + 5
        while self.pid_of(unit) is None:
            try:
                self._supervisor.order("POST", f"/process/start/{unit}", unit)
            except Refused:
                # The supervisor counts a unit as running while it is stopping or waits for its restart.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def units(self) -> list[Unit]:
        """Return all units, as the supervisor and the operating system report them."""
        states = self._supervisor.states()
        second = [name for name in SECONDS if states.get(name, {}).get("is_running")]
        return [_unit(name, states.get(name, {})) for name in (*UNITS, *second)]

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process."""
        try:
            if (pid := self.pid_of(unit)) is None:
                raise ProcessLookupError
            os.kill(pid, number)
        except ProcessLookupError:
            # The unit has ended, and the supervisor may not have noticed that yet.
            raise LabError(
                f"{unit} is not running, so it cannot receive a signal. Start it: ./lab up"
            ) from None

    def revive(self, unit: str) -> None:
        """Do nothing: this supervisor restarts a crashed unit after one second."""

    def pid_of(self, unit: str) -> int | None:
        """Return the pid that the supervisor reports, without the cost of measuring memory."""
        state = self._supervisor.state(unit)
        return state["pid"] or None if state.get("is_running") else None

    def forget(self, unit: str) -> None:
        """Restart `unit` with empty storage."""
        self.stop_unit(unit)
        shutil.rmtree(self._home.data / unit, ignore_errors=True)
        self.start_unit(unit)

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Restart the unit with settings in addition to its own."""
        if unit not in UNITS:
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        overrides.write(self._home, unit, settings)
        if self.running():
            self.restart(unit)

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Return a command that prints the unit's log file."""
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), str(self._home.logs / f"{unit}.log")]

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """Return the command that prints the unit's log, which contains the reports."""
        return self.log_command(unit, False, lines)

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """Return a command that runs the script which `start` has written."""
        return ["sh", str(self._home.run / f"{processes.TOOL}.sh"), tool, *arguments]

    def endpoints(self) -> dict[str, str]:
        """Return the address of each unit by name."""
        return network.endpoints()

    def remarks(self) -> str:
        """Return where the gateway is, if it is not on its usual port."""
        if network.endpoints()["gateway"].endswith(":8000") and not os.environ.get("LAB_PORT_HTTP"):
            return "This user may not bind port 80, so the gateway is on port 8000. LAB_PORT_HTTP changes it."
        return ""

    def host(self, unit: str) -> str:
        """Return the unit's own loopback address."""
        return network.host(unit)

    def reach(self, unit: str) -> str:
        """Return the unit's own loopback address, which is the same for all programs of this machine."""
        return network.host(unit)

    def variables(self) -> dict[str, str]:
        """Return the variables that the units get, too."""
        secrets = ensure_secrets(self._home.secrets)
        return network.variables() | secrets | {"KAFKA_LOG_DIRS": str(self._home.data / "kafka")}

    def listen_host(self) -> str:
        """Return a loopback address that no unit uses."""
        return f"{network.BASE}.41"

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's URL, and a loopback address that no unit uses."""
        return network.endpoints()["gateway"], f"{network.BASE}.42"

    def delete_data(self) -> None:
        """Delete data, logs and secrets."""
        shutil.rmtree(postgresql.data_folder(self._home).parent, ignore_errors=True)
        shutil.rmtree(self._home.stack, ignore_errors=True)

    def _prepare(self, paths: ServerPaths, progress: Progress) -> None:
        for folder in (self._home.run, self._home.logs, *(self._home.data / n for n in ("mongodb", "redis"))):
            folder.mkdir(parents=True, exist_ok=True)
        for log in self._home.logs.glob("*.log"):
            if log.stat().st_size > LONGEST_LOG:
                log.replace(log.with_suffix(".log.1"))
        values = self.variables()
        try:
            self._make_stores(paths, values, progress)
        except subprocess.CalledProcessError as error:
            output = "\n".join((error.output or "").strip().splitlines()[-8:])
            raise LabError(
                f"A server's data folder could not be created:\n{output}\nFind the cause: ./lab doctor"
            ) from error

    def _make_stores(self, paths: ServerPaths, values: Mapping[str, str], progress: Progress) -> None:
        cluster = postgresql.ensure_cluster(
            self._home, paths.postgresql_bin, values["POSTGRES_SUPERUSER_PASSWORD"]
        )
        # No process of this system runs any more, so this file can only be a leftover.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        if not (self._home.data / "kafka" / "meta.properties").exists():
            progress.say("kafka", "creating its data folder")
            properties = self._home.run / "server.properties"
            properties.write_text(kafka.properties_from(read("kafka", values)))
            kafka.format_storage(paths.kafka_jars, properties)


def _unit(name: str, state: dict[str, Any]) -> Unit:
    pid = state.get("pid") or None
    # A unit that ended because of SIGTERM did not fail.
    restarts = 0 if state.get("exit_code") in (0, 143) else int(state.get("restarts") or 0)
    if not state.get("is_running") or pid is None:
        return Unit(name, str(state.get("status", "stopped")).lower(), None, None, 0, None, restarts)
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        memory, since = sum(_resident(member) for member in family), process.create_time()
    except psutil.Error:
        return Unit(name, "restarting", None, None, 0, None, restarts)
    ready = state.get("is_ready") in ("Ready", "-", "", None)
    return Unit(name, "running" if ready else "starting", pid, None, memory, since, restarts)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
