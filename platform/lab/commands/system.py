"""./lab up, down, restart, logs and reset."""

import sys
import time
from pathlib import Path

import click

from lab.backends.protocol import Backend, Unit
from lab.commands import status
from lab.commands.course import reset_lab
from lab.commands.faults import heal_now
from lab.commands.notebook import reset_notebook
from lab.course import running
from lab.errors import LabError
from lab.home import Home
from lab.probes import local_http
from lab.probes.readiness import slow, wait_until_up, waiting_for
from lab.progress import Progress
from lab.terminal import Console, confirm
from lab.topology import UNITS

RESTART_SECONDS = 30.0


def bring_up(home: Home, backend: Backend, console: Console) -> None:
    """Start the system, wait until every part answers, and print the addresses. Raises LabError."""
    began = time.monotonic()
    home.refuse_unusable()
    backend.refuse_wrong_settings()
    if backend.running() and (other := backend.belongs_elsewhere()):
        console.print(f"The running system belongs to {other}. It is being stopped; its data stays.")
        backend.stop()
    if healed := heal_now(home, backend):
        console.print(healed)
    forget_lost(home, backend, console)
    again = set_up_again(home, backend, console) if backend.running() else False
    with local_http.client(timeout=3) as client:
        idle = not_running(backend) if backend.running() else ()
        if backend.running() and not idle and not waiting_for(backend.endpoints(), client):
            if not again:
                console.print("The system is already running. Its addresses: ./lab endpoints")
            return
    if idle:
        console.print(f"Not running: {', '.join(idle)}. Now it is started again.")
        for unit in idle:
            backend.thaw(unit)
    with Progress(console) as progress:
        progress.say("start", "checking what must be installed")
        backend.start(progress)
        wait_until_up(backend.endpoints(), progress)
    status.print_endpoints(backend, console)
    if backend.remarks():
        console.print(backend.remarks(), soft_wrap=True)
    console.print(f"The system is up after {time.monotonic() - began:.1f} s. Next: ./lab status, ./lab test")


def not_running(backend: Backend) -> tuple[str, ...]:
    """Return the units that are stopped or paused; a worker has no port that would tell."""
    own = ("running", "starting", "restarting", "not seen")
    return tuple(unit.name for unit in backend.units() if unit.name in UNITS and unit.state not in own)


def set_up_again(home: Home, backend: Backend, console: Console) -> bool:
    """Set up the servers again when topics, the replica set or roles are missing. Raises LabError."""
    from lab.health import topics
    from lab.health.examine import problems

    if backend.kind == "inside":
        return False
    wrong = [finding for finding in problems(home, backend) if finding.again]
    if not wrong:
        return False
    for finding in wrong:
        console.print(f"{finding.what}: {finding.seen}.")
    backend.provision()
    if left := [finding for finding in problems(home, backend) if finding.again]:
        raise LabError(
            f"The servers were set up again, but {left[0].what} is still wrong: {left[0].seen}.\n"
            "Find the cause: ./lab logs provision"
        )
    events_lost = any(finding.what == topics.WHAT for finding in wrong)
    after = "./lab rebuild, which fills the feed from MongoDB." if events_lost else "./lab status"
    console.print(f"The servers are set up again. Next: {after}")
    return True


def forget_lost(home: Home, backend: Backend, console: Console) -> None:
    """Return units to the platform's code when a learner's files are gone or a killed test replaced them."""
    for unit in running.forget_lost(home, backend):
        console.print(f"{unit} runs the platform's code again, because the learner's files are gone.")


def need_running(backend: Backend) -> None:
    """Raise LabError when the system is not running."""
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up")


def find(backend: Backend, name: str) -> Unit:
    """Return the unit called `name`."""
    return next(unit for unit in backend.units() if unit.name == name)


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    def up() -> None:
        """Start the system; install what is missing first."""
        bring_up(home, backend, console)

    @cli.command()
    def down() -> None:
        """Stop the system; its data stays."""
        heal_now(home, backend)
        backend.stop()
        console.print("The system is stopped; its data stays. Delete the data: ./lab reset")

    @cli.command()
    @click.argument("unit", metavar="UNIT", type=click.Choice([*UNITS, "provision", "supervisor"]))
    @click.option("-f", "--follow", is_flag=True, help="Print new lines until you press Ctrl-C.")
    def logs(unit: str, follow: bool) -> None:
        """Print the last lines of a unit's log. UNIT is a name of ./lab status, provision or supervisor."""
        from lab.follow import print_log

        command = backend.log_command(unit, follow)
        if backend.kind == "native" and not Path(command[-1]).exists():
            raise LabError(f"{unit} has no log yet, because it has never run. Start the system: ./lab up")
        sys.stdout.flush()
        sys.exit(print_log(command, console))

    @cli.command()
    @click.argument("unit", metavar="UNIT", type=click.Choice(UNITS))
    def restart(unit: str) -> None:
        """Restart one unit. UNIT is a name of ./lab status."""
        before = find(backend, unit).pid
        backend.restart(unit)
        deadline = time.monotonic() + RESTART_SECONDS * slow()
        while (now := find(backend, unit)).state != "running" or now.pid == before:
            if time.monotonic() > deadline:
                raise LabError(
                    f"{unit} was restarted, but its state is '{now.state}'. Find the cause: ./lab logs {unit}"
                )
            time.sleep(0.2)
        console.print(f"{unit} was restarted (pid {now.pid}).")

    @cli.command()
    @click.argument("number", required=False)
    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @click.option("--notebook", is_flag=True, help="With NUMBER: a fresh copy of that notebook instead.")
    def reset(number: str | None, yes: bool, notebook: bool) -> None:
        """Delete all data; with NUMBER: put the starter of a lab back."""
        if notebook and number is None:
            raise LabError("Which notebook? Name it by its number: ./lab reset 01 --notebook")
        if notebook and number is not None:
            reset_notebook(home, console, number, yes)
            return
        if number is not None:
            reset_lab(home, console, number, yes)
            return
        if not yes:
            confirm("Delete all data of the system?")
        heal_now(home, backend)  # before the record of active faults is deleted: nothing could end them later
        backend.stop()
        backend.delete_data()
        console.print("The data is deleted. ./lab up starts with empty databases.")
