"""The Compose backend: docker-compose.yml runs official images and the course's own images."""

from collections.abc import Mapping

from lab import options
from lab.backends import overrides, user_settings
from lab.backends.compose import containers, dotenv, engine, fitness, images, process
from lab.backends.compose.composition import Composition
from lab.backends.compose.faults import ComposeFaults
from lab.backends.compose.limits import memory_limit
from lab.backends.compose.network import Addresses, environment_with
from lab.backends.protocol import Unit
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import REPO, Home
from lab.progress import Progress
from lab.topology import OPTIONAL, SECONDS, UNITS

UP_SECONDS = 300.0
MORE_SECONDS = 60.0
"""Compose's own time besides waiting: it creates the containers first, and reports last."""
UNHEALTHY_SECONDS = 25.0
"""Two health checks of a running container, and their timeouts."""
DOWN_SECONDS = 300.0
PROVISION_SECONDS = 90.0
STOP_SECONDS = "15"


class ComposeBackend(ComposeFaults):
    """The system as containers; there is one for each engine."""

    kind = "compose"

    def __init__(self, home: Home) -> None:
        self._home = home
        self._addresses = Addresses(environment_with(dotenv.read()))
        self._composition = Composition(home, self._addresses)
        self._options: tuple[str, ...] | None = None

    def running(self) -> bool:
        """Return whether a container of the system runs."""
        return containers.any_running()

    def belongs_elsewhere(self) -> str:
        """Return the other clone from which the containers were created; '' when it is this one."""
        there = containers.folder()
        return "" if there in ("", str(REPO)) else there

    def start(self, progress: Progress) -> None:
        """Create missing secrets and images, then start all containers and wait until they are healthy."""
        self.refuse_wrong_settings()
        seen = engine.look()
        fitness.refuse_unfit(seen)
        dotenv.ensure(self._composition.depends_on_engine())
        # Created here, because the engine would create a folder that only root may write to.
        folder = overrides.folder(self._home)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the containers read it as another user
        dotenv.give(folder)
        if self.running():
            containers.wait_for_health(UNITS, UNHEALTHY_SECONDS)
        else:
            self.refuse_taken_ports()
        images.ensure(seen, self._composition.command, self._composition.environment(), progress)
        progress.say("start", "starting containers")
        seconds = UP_SECONDS * slow()
        command = self._composition.command("up", "--detach", "--wait", "--wait-timeout", f"{seconds:.0f}")

        def say(last: str) -> None:
            if waiting := self._waiting_for():
                more = f" (+{len(waiting) - 1})" * (len(waiting) > 1)
                progress.say("start", f"waiting for {waiting[0]}{more}")

        done = process.run(command, self._composition.environment(), seconds + MORE_SECONDS, say)
        self._options = None
        if not done.well:
            raise LabError(process.explained(done, self._waiting_for()))

    def options(self) -> tuple[str, ...]:
        """Return the options with which the running system was started."""
        if self._options is None:
            self._options = containers.options()
        return self._options

    def _waiting_for(self) -> list[str]:
        return [unit.name for unit in self.units() if unit.state != "running"]

    def stop(self) -> None:
        """Stop and remove the containers; volumes stay."""
        dotenv.ensure(self._composition.depends_on_engine())  # Compose requires all variables, even to stop
        self._compose("--profile", "second", "down", "--remove-orphans", "--timeout", STOP_SECONDS)
        self._options = None

    def restart(self, unit: str) -> None:
        """Restart one unit."""
        _known(unit)
        engine.must("restart", "--time", STOP_SECONDS, containers.name(unit))

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until `start_unit` is called."""
        _known(unit)
        engine.must("stop", "--time", STOP_SECONDS, containers.name(unit))

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit."""
        _known(unit)
        if engine.run("start", containers.name(unit)).returncode != 0:
            self._make(unit)

    def units(self) -> list[Unit]:
        """Return all units, as the engine reports them; of the second instances only those that run."""
        added = options.servers(self.options())
        units = containers.look((*UNITS, *added, *SECONDS))
        return [unit for unit in units if unit.name in (*UNITS, *added) or unit.pid]

    def pid_of(self, unit: str) -> int | None:
        """Return the pid of the container's main process, as the engine reports it; None while it is down."""
        _known(unit)
        return containers.pid(unit)

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process."""
        _known(unit)
        containers.send(unit, number)

    def revive(self, unit: str) -> None:
        """Restart a crashed container at once: the engine doubles its delay after each early crash."""
        _known(unit)
        if containers.pid(unit) is None:
            engine.must("restart", "--time", STOP_SECONDS, containers.name(unit))

    def forget(self, unit: str) -> None:
        """Create the unit's container again, without its volumes."""
        _known(unit)
        volumes = containers.volumes(unit)
        engine.must("stop", "--time", STOP_SECONDS, containers.name(unit))
        engine.must("rm", "--volumes", containers.name(unit))
        if volumes:
            engine.must("volume", "rm", "--force", *volumes)
        self._make(unit)

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Set settings in addition to the unit's own, and create its container again."""
        if unit not in UNITS:
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        running = self.running()
        if running:
            # Stopped first: the unit would see the new file and restart itself, ignoring signals meanwhile.
            engine.run("stop", "--time", STOP_SECONDS, containers.name(unit))
        overrides.write(self._home, unit, settings)
        if running:
            self._make(unit, "--force-recreate")

    def deliver(self, unit: str) -> None:
        """Do nothing: the container has the folder mounted."""

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Return the command that prints a container's log; `supervisor` stands for all containers' logs."""
        options = ["--tail", str(lines), *(["--follow"] if follow else [])]
        if unit == "supervisor":
            return ["docker", "compose", "--project-name", engine.project(), "logs", *options]
        return ["docker", "logs", *options, containers.name(unit)]

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """Return the command that prints the unit's log, which contains the reports."""
        return self.log_command(unit, False, lines)

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """Return a command that runs the tool in a container of its own and then removes it."""
        settings = [f"{name}={value}" for name, value in self._composition.variables().items()]
        return [
            "env",
            *settings,
            *self._composition.command("run", "--rm", "--no-deps", "-T", "feed-tool", tool, *arguments),
        ]

    def endpoints(self) -> dict[str, str]:
        """Return the address of each unit by name."""
        return self._addresses.endpoints(self.options())

    def remarks(self) -> str:
        """Return where JupyterLab is, and how much memory the containers may use."""
        limit = memory_limit(self.options())
        return f"JupyterLab: {self.jupyterlab()}\nMemory limit of all containers: {limit} MiB"

    def jupyterlab(self) -> str:
        """Return JupyterLab's URL with its token; '' while it is down."""
        address = containers.published("jupyterlab", 8888)
        return f"http://{address}/lab?token={dotenv.read().get('JUPYTER_TOKEN', '')}" if address else ""

    def host(self, unit: str) -> str:
        """Return the unit's name, which containers resolve."""
        return unit

    def reach(self, unit: str) -> str:
        """Return the container's own address where this machine can reach it, else its port on loopback."""
        addresses = self._addresses
        return addresses.endpoint(unit) if addresses.published else addresses.reach(unit)

    def variables(self) -> dict[str, str]:
        """Return the addresses as this machine reaches them, and the secrets."""
        return self._addresses.variables() | dotenv.ensure(self._composition.depends_on_engine())

    def listen_host(self) -> str:
        """Return this machine's address in the project's network."""
        return self._addresses.bridge()

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's own address, and one of this machine outside the project's network."""
        return self._addresses.neighbour()

    def provision(self) -> None:
        """Run the container `provision` again and wait for its end. Raises LabError."""
        container = containers.name("provision")
        engine.must("start", container)
        code = engine.must("wait", container, timeout=PROVISION_SECONDS * slow()).strip()
        if code != "0":
            raise LabError("The servers could not be set up. Find the cause: ./lab logs provision")

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for ports, networks and settings of the services that cannot work."""
        self._addresses.refuse_wrong_settings()
        user_settings.refuse_wrong(environment_with(dotenv.read()))

    def refuse_taken_ports(self) -> None:
        """Raise LabError for ports that another process holds."""
        self._addresses.refuse_taken_ports()

    def delete_data(self) -> None:
        """Remove the volumes, those of options included. The file .env stays: the user may have edited it."""
        self._compose(
            "--profile", "second", "down", "--volumes", "--remove-orphans", "--timeout", STOP_SECONDS,
            every_option=True,
        )  # fmt: skip

    def _make(self, unit: str, *options: str) -> None:
        self._compose("up", "--detach", "--no-deps", "--no-build", *options, unit)

    def _compose(self, *arguments: str, every_option: bool = False) -> None:
        command = self._composition.command(*arguments, every_option=every_option)
        done = process.run(command, self._composition.environment(), DOWN_SECONDS)
        if not done.well:
            raise LabError(process.explained(done, []))


def _known(unit: str) -> None:
    if unit not in (*UNITS, *OPTIONAL, *SECONDS):
        raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
