"""The native backend: process-compose supervises the servers and services as processes of this machine."""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress

import httpx

from lab import options
from lab.backends import overrides, user_settings
from lab.backends.native import network, postgresql, processes, started, stores
from lab.backends.native.faults import NativeFaults
from lab.backends.native.guards import allow_enough_files, one_at_a_time, refuse_full_disk
from lab.backends.native.leftovers import end_leftovers
from lab.backends.native.supervisor import Refused, Silent, Supervisor
from lab.backends.native.units import unit_from
from lab.backends.protocol import Unit
from lab.backends.settings import ensure_secrets
from lab.errors import LabError
from lab.home import REPO, Home
from lab.install import optional
from lab.install.servers import ensure_servers
from lab.progress import Progress
from lab.topology import SECONDS, UNITS


class NativeBackend(NativeFaults):
    """The system as processes; there is one for each home."""

    kind = "native"

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._supervisor = Supervisor(home.run / "supervisor.sock")

    def running(self) -> bool:
        """Return whether the supervisor answers. Raises LabError when it runs and does not answer."""
        return self._supervisor.answers()

    def belongs_elsewhere(self) -> str:
        """Return the other clone whose code the running system uses; '' when it is this one."""
        note = self._home.run / "repository"
        there = note.read_text() if note.exists() else str(REPO)
        return "" if there == str(REPO) else there

    def start(self, progress: Progress) -> None:
        """Install missing servers, then start all units. Raises LabError."""
        self.refuse_wrong_settings()
        self._supervisor.refuse_long_path()
        allow_enough_files()
        paths = ensure_servers(self._home, progress)
        # Held until the supervisor answers: a second ./lab would take its processes for leftovers.
        with one_at_a_time(self._home, progress):
            if self.running():
                self._start_stopped_units()
                return
            end_leftovers(self._home, progress)
            network.refuse_taken_ports()
            refuse_full_disk(self._home)
            stores.prepare(self._home, paths, self.variables(), progress)
            config = processes.write(self._home, paths, self.variables(), options.chosen())
            (self._home.run / "repository").write_text(str(REPO))
            started.note(self._home)
            self._supervisor.start(paths.process_compose, config, self._home)
        optional.begin(self._home, options.chosen())

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for settings that cannot work or differ from those of the running system."""
        network.refuse_wrong_settings()
        user_settings.refuse_wrong(os.environ)
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
            with suppress(Silent):  # what a silent supervisor leaves is killed below
                self._order_end()
            end_leftovers(self._home, None)

    def _order_end(self) -> None:
        if not self.running():
            return
        with suppress(httpx.HTTPError, Silent):  # the supervisor may end before it answers
            self._supervisor.ask("POST", "/project/stop", timeout=60)
        deadline = time.monotonic() + 30
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.1)

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
        added = options.servers(self.options())
        return [unit_from(name, states.get(name, {})) for name in (*UNITS, *added, *second)]

    def options(self) -> tuple[str, ...]:
        """Return the options with which the running system was started."""
        return started.options_of(self._home)

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

    def deliver(self, unit: str) -> None:
        """Do nothing: the unit reads the files themselves."""

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
        return network.endpoints(self.options())

    def remarks(self) -> str:
        """Return where the gateway is, if it is not on its usual port, and which servers are still built."""
        lines = []
        if self.endpoints()["gateway"].endswith(":8000") and not os.environ.get("LAB_PORT_HTTP"):
            lines.append(
                "This user may not bind port 80, so the gateway is on port 8000. LAB_PORT_HTTP changes it."
            )
        if modules := optional.missing(self._home, self.options()):
            lines.append(
                f"{' and '.join(modules)} are being compiled in the background, which takes some minutes."
                f" Their units start by themselves. See the progress: tail {self._home.logs / optional.LOG}"
            )
        return "\n".join(lines)

    def host(self, unit: str) -> str:
        """Return the unit's own loopback address."""
        return network.host(unit)

    def reach(self, unit: str) -> str:
        """Return the unit's own loopback address, which is the same for all programs of this machine."""
        return network.host(unit)

    def variables(self) -> dict[str, str]:
        """Return the variables that the units get, too."""
        secrets = ensure_secrets(self._home.secrets)
        folder = {"KAFKA_LOG_DIRS": str(self._home.data / "kafka")}
        return network.variables() | secrets | folder | user_settings.chosen(os.environ)

    def listen_host(self) -> str:
        """Return a loopback address that no unit uses."""
        return f"{network.BASE}.41"

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's URL, and a loopback address that no unit uses."""
        return self.endpoints()["gateway"], f"{network.BASE}.42"

    def delete_data(self) -> None:
        """Delete data, logs and secrets."""
        shutil.rmtree(postgresql.data_folder(self._home).parent, ignore_errors=True)
        shutil.rmtree(self._home.stack, ignore_errors=True)
