"""The Compose backend: official images under Docker Compose, as docker-compose.yml says."""

import os
from collections.abc import Mapping

from lab.backends import overrides
from lab.backends.compose import containers, dotenv, engine, fitness, images, process
from lab.backends.compose.faults import ComposeFaults
from lab.backends.compose.limits import memory_limit
from lab.backends.compose.network import Addresses, environment_with
from lab.backends.protocol import Unit
from lab.errors import LabError
from lab.home import DEPLOYMENT, REPO, Home
from lab.probes.readiness import slow
from lab.progress import Progress
from lab.topology import SECONDS, UNITS

OVERLAYS = DEPLOYMENT / "compose"
FILES = (REPO / "docker-compose.yml", OVERLAYS / "more.yaml")
PUBLISHED = (OVERLAYS / "published.yaml", OVERLAYS / "second" / "published.yaml")
UP_SECONDS = 300.0
MORE_SECONDS = 60.0
"""What Compose needs besides waiting: it makes the containers first, and answers last."""
DOWN_SECONDS = 300.0
PROVISION_SECONDS = 90.0
STOP_SECONDS = "15"


class ComposeBackend(ComposeFaults):
    """One stack for each engine."""

    kind = "compose"

    def __init__(self, home: Home) -> None:
        self._home = home
        self._addresses = Addresses(environment_with(dotenv.read()))

    def running(self) -> bool:
        """Whether a container of the system runs."""
        return containers.any_running()

    def belongs_elsewhere(self) -> str:
        """The other clone from which the containers were made; '' when it is this one."""
        there = containers.folder()
        return "" if there in ("", str(REPO)) else there

    def start(self, progress: Progress) -> None:
        """Make what is missing (secrets, images), then start all and wait until all is healthy."""
        self._addresses.refuse_wrong_settings()
        seen = engine.look()
        fitness.refuse_unfit(seen)
        dotenv.ensure(self._depends_on_engine())
        # The engine would make a folder that only root may write to.
        folder = overrides.folder(self._home)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the containers read it as another user
        dotenv.give(folder)
        if not self.running():
            self.refuse_taken_ports()
        images.ensure(seen, self._command, self._environment(), progress)
        progress.say("start", "starting containers")
        seconds = UP_SECONDS * slow()
        command = self._command("up", "--detach", "--wait", "--wait-timeout", f"{seconds:.0f}")

        def say(last: str) -> None:
            if waiting := self._waiting_for():
                more = f" (+{len(waiting) - 1})" * (len(waiting) > 1)
                progress.say("start", f"waiting for {waiting[0]}{more}")

        done = process.run(command, self._environment(), seconds + MORE_SECONDS, say)
        if not done.well:
            raise LabError(process.explained(done, self._waiting_for()))

    def _waiting_for(self) -> list[str]:
        return [unit.name for unit in self.units() if unit.state != "running"]

    def stop(self) -> None:
        """Stop and remove the containers; volumes stay."""
        dotenv.ensure(self._depends_on_engine())  # Compose reads the whole file, also to stop
        self._compose("--profile", "second", "down", "--remove-orphans", "--timeout", STOP_SECONDS)

    def restart(self, unit: str) -> None:
        """Restart one unit."""
        _known(unit)
        engine.must("restart", "--time", STOP_SECONDS, containers.name(unit))

    def stop_unit(self, unit: str) -> None:
        """Stop one unit until it is started again."""
        _known(unit)
        engine.must("stop", "--time", STOP_SECONDS, containers.name(unit))

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit."""
        _known(unit)
        if engine.run("start", containers.name(unit)).returncode != 0:
            self._make(unit)

    def units(self) -> list[Unit]:
        """All units, by what the engine says; of the second instances those that run."""
        found = containers.look((*UNITS, *SECONDS))
        return [unit for unit in found if unit.name in UNITS or unit.pid]

    def pid_of(self, unit: str) -> int | None:
        """What the engine says of one container."""
        _known(unit)
        return containers.pid(unit)

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process."""
        _known(unit)
        containers.send(unit, number)

    def revive(self, unit: str) -> None:
        """The engine doubles its delay with each death of a container that ran for less than ten seconds."""
        _known(unit)
        if containers.pid(unit) is None:
            engine.must("restart", "--time", STOP_SECONDS, containers.name(unit))

    def forget(self, unit: str) -> None:
        """Make the unit's container anew, without its volumes."""
        _known(unit)
        volumes = containers.volumes(unit)
        engine.must("stop", "--time", STOP_SECONDS, containers.name(unit))
        engine.must("rm", "--volumes", containers.name(unit))
        if volumes:
            engine.must("volume", "rm", "--force", *volumes)
        self._make(unit)

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Settings on top of the unit's own, from now on: its container is made anew."""
        if unit not in UNITS:
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        running = self.running()
        if running:
            # First: it would see the new file at once and begin anew by itself, deaf to signals meanwhile.
            engine.run("stop", "--time", STOP_SECONDS, containers.name(unit))
        overrides.write(self._home, unit, settings)
        if running:
            self._make(unit, "--force-recreate")

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """The engine keeps the logs; `supervisor` is what it said about all containers."""
        options = ["--tail", str(lines), *(["--follow"] if follow else [])]
        if unit == "supervisor":
            return ["docker", "compose", "--project-name", engine.project(), "logs", *options]
        return ["docker", "logs", *options, containers.name(unit)]

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """The unit's log."""
        return self.log_command(unit, False, lines)

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """A container of its own, removed when it ends."""
        settings = [f"{name}={value}" for name, value in self._own_environment().items()]
        return [
            "env",
            *settings,
            *self._command("run", "--rm", "--no-deps", "-T", "feed-tool", tool, *arguments),
        ]

    def endpoints(self) -> dict[str, str]:
        """Addresses by name."""
        return self._addresses.endpoints()

    def remarks(self) -> str:
        """What the containers may use at most, and where JupyterLab is."""
        return (
            f"JupyterLab: {self.jupyterlab()}\nThe containers may use {memory_limit()} MiB of memory in all."
        )

    def jupyterlab(self) -> str:
        """Where a browser finds JupyterLab, token included; '' while it does not run."""
        address = containers.published("jupyterlab", 8888)
        return f"http://{address}/lab?token={dotenv.read().get('JUPYTER_TOKEN', '')}" if address else ""

    def host(self, unit: str) -> str:
        """Containers know each other by name."""
        return unit

    def reach(self, unit: str) -> str:
        """The container's own address where this machine can reach it, else its port on loopback."""
        found = self._addresses
        return found.endpoint(unit) if found.published else found.reach(unit)

    def variables(self) -> dict[str, str]:
        """Addresses as this machine reaches them, and the secrets."""
        return self._addresses.variables() | dotenv.ensure(self._depends_on_engine())

    def listen_host(self) -> str:
        """This machine's address in the project's network."""
        return self._addresses.bridge()

    def neighbour(self) -> tuple[str, str]:
        """The gateway's own address, asked from outside the project's network."""
        return self._addresses.neighbour()

    def provision(self) -> None:
        """Run the one-shot container again and wait for its end."""
        container = containers.name("provision")
        engine.must("start", container)
        code = engine.must("wait", container, timeout=PROVISION_SECONDS * slow()).strip()
        if code != "0":
            raise LabError("The servers could not be set up. Look: ./lab logs provision")

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for ports and networks that cannot work."""
        self._addresses.refuse_wrong_settings()

    def refuse_taken_ports(self) -> None:
        """Raise LabError for ports that another process holds."""
        self._addresses.refuse_taken_ports()

    def delete_data(self) -> None:
        """Remove the volumes; .env stays, it is the user's."""
        self._compose(
            "--profile", "second", "down", "--volumes", "--remove-orphans", "--timeout", STOP_SECONDS
        )

    def _make(self, unit: str, *options: str) -> None:
        self._compose("up", "--detach", "--no-deps", "--no-build", *options, unit)

    def _command(self, *arguments: str) -> list[str]:
        files = (*FILES, *(PUBLISHED if self._addresses.published else ()))
        chosen = [word for file in files for word in ("--file", str(file))]
        return ["docker", "compose", "--project-directory", str(REPO), *chosen, *arguments]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self._own_environment()}

    def _own_environment(self) -> dict[str, str]:
        """What the Compose files ask of the environment besides .env."""
        made_of = images.fingerprints()
        mine = {
            "LAB_OVERRIDES": str(overrides.folder(self._home)),
            "LAB_FINGERPRINT": made_of[images.SERVICE],
            "LAB_JUPYTER_FINGERPRINT": made_of[images.JUPYTER],
            "COMPOSE_PROGRESS": "plain",
            **self._depends_on_engine(),
        }
        if found := engine.current():
            mine |= fitness.builder(found)
        if self._addresses.published:
            mine |= {"LAB_KAFKA_OUTSIDE": f"127.0.0.1:{self._addresses.port('kafka')}"}
        return mine

    def _depends_on_engine(self) -> dict[str, str]:
        """What a plain `docker compose` needs in .env as well."""
        found = engine.current()
        return dotenv.owner(rootless=bool(found and found.rootless)) | self._addresses.moved()

    def _compose(self, *arguments: str) -> None:
        done = process.run(self._command(*arguments), self._environment(), DOWN_SECONDS)
        if not done.well:
            raise LabError(process.explained(done, []))


def _known(unit: str) -> None:
    if unit not in (*UNITS, *SECONDS):
        raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
