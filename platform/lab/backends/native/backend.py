"""The native backend: process-compose supervises servers and services of this machine."""

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
"""Bytes after which a log is set aside at the next `up`."""


class NativeBackend(NativeFaults):
    """One stack for each home."""

    kind = "native"

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._supervisor = Supervisor(home.run / "supervisor.sock")

    def running(self) -> bool:
        """Whether the supervisor answers."""
        return self._supervisor.answers()

    def belongs_elsewhere(self) -> str:
        """The other clone whose code the running stack uses; '' when it is this one."""
        note = self._home.run / "repository"
        there = note.read_text() if note.exists() else str(REPO)
        return "" if there == str(REPO) else there

    def start(self, progress: Progress) -> None:
        """Install what is missing and start everything."""
        self.refuse_wrong_settings()
        paths = ensure_servers(self._home, progress)
        # Held until the supervisor answers: a second ./lab that comes meanwhile would take it for a leftover.
        with one_at_a_time(self._home, progress):
            if self.running():
                self._start_what_rests()
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
        """Run the one-shot script again."""
        started.provision(self._home)

    def _start_what_rests(self) -> None:
        """Somebody stopped or froze a unit and did not come back."""
        for unit in self.units():
            if unit.name in UNITS:
                self.thaw(unit.name)
                self.start_unit(unit.name)

    def stop(self) -> None:
        """Stop everything in order; what does not listen is ended."""
        with one_at_a_time(self._home, None):
            if self.running():
                with suppress(httpx.HTTPError):  # it may end before it answers
                    self._supervisor.ask("POST", "/project/stop", timeout=60)
                deadline = time.monotonic() + 30
                while self.running() and time.monotonic() < deadline:
                    time.sleep(0.1)
            end_leftovers(self._home, None)

    def restart(self, unit: str) -> None:
        """Restart one unit."""
        self._supervisor.order("POST", f"/process/restart/{unit}", unit)

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until it is started again."""
        self._supervisor.order("PATCH", f"/process/stop/{unit}", unit)

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit; one that runs is left alone, one that is stopping is awaited."""
        deadline = time.monotonic() + processes.SERVER_END_SECONDS + 5
        while self.pid_of(unit) is None:
            try:
                self._supervisor.order("POST", f"/process/start/{unit}", unit)
            except Refused:
                # What is about to end, or waits for its restart, counts as running there.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def units(self) -> list[Unit]:
        """All units, by what the supervisor and the operating system say."""
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
            # The supervisor may not have seen yet that it ended.
            raise LabError(f"{unit} does not run, so it cannot be sent a signal.") from None

    def revive(self, unit: str) -> None:
        """The supervisor never waits long."""

    def pid_of(self, unit: str) -> int | None:
        """What the supervisor says; nobody counts memory."""
        state = self._supervisor.state(unit)
        return state["pid"] or None if state.get("is_running") else None

    def forget(self, unit: str) -> None:
        """Restart `unit` without what it stored."""
        self.stop_unit(unit)
        shutil.rmtree(self._home.data / unit, ignore_errors=True)
        self.start_unit(unit)

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Settings on top of the unit's own, from now on."""
        if unit not in UNITS:
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        overrides.write(self._home, unit, settings)
        if self.running():
            self.restart(unit)

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Logs are files."""
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), str(self._home.logs / f"{unit}.log")]

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """The unit's log."""
        return self.log_command(unit, False, lines)

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """A script that `start` wrote."""
        return ["sh", str(self._home.run / f"{processes.TOOL}.sh"), tool, *arguments]

    def endpoints(self) -> dict[str, str]:
        """Addresses by name."""
        return network.endpoints()

    def remarks(self) -> str:
        """Where the gateway is, when it is not on its usual port."""
        if network.endpoints()["gateway"].endswith(":8000") and not os.environ.get("LAB_PORT_HTTP"):
            return "Port 80 cannot be bound by this user, so the gateway is on 8000 (LAB_PORT_HTTP)."
        return ""

    def host(self, unit: str) -> str:
        """A loopback address of its own."""
        return network.host(unit)

    def reach(self, unit: str) -> str:
        """The same address: all is on one machine."""
        return network.host(unit)

    def variables(self) -> dict[str, str]:
        """What the units themselves get."""
        secrets = ensure_secrets(self._home.secrets)
        return network.variables() | secrets | {"KAFKA_LOG_DIRS": str(self._home.data / "kafka")}

    def listen_host(self) -> str:
        """A loopback address that no unit has."""
        return f"{network.BASE}.41"

    def neighbour(self) -> tuple[str, str]:
        """Another loopback address."""
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
            said = "\n".join((error.output or "").strip().splitlines()[-8:])
            raise LabError(f"A data folder could not be prepared:\n{said}\nLook: ./lab doctor") from error

    def _make_stores(self, paths: ServerPaths, values: Mapping[str, str], progress: Progress) -> None:
        cluster = postgresql.ensure_cluster(
            self._home, paths.postgresql_bin, values["POSTGRES_SUPERUSER_PASSWORD"]
        )
        # Nothing of ours runs any more, so this can only be a leftover.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        if not (self._home.data / "kafka" / "meta.properties").exists():
            progress.say("kafka", "preparing its data folder")
            properties = self._home.run / "server.properties"
            properties.write_text(kafka.properties_from(read("kafka", values)))
            kafka.format_storage(paths.kafka_jars, properties)


def _unit(name: str, state: dict[str, Any]) -> Unit:
    pid = state.get("pid") or None
    # One that was asked to end (SIGTERM) did not fail.
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
