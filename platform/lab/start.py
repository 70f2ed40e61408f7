"""Start the system, and first repair what an earlier run left behind: `./lab up`."""

import time

from lab import options
from lab.backends.protocol import Backend
from lab.course import running
from lab.errors import LabError
from lab.faults.break_ import heal_now
from lab.home import Home
from lab.probes import local_http
from lab.probes.readiness import wait_until_up, waiting_for
from lab.progress import Progress
from lab.terminal import Console
from lab.topology import OPTIONAL, UNITS

LOOK_AGAIN_SECONDS = 15.0


def bring_up(home: Home, backend: Backend, console: Console) -> None:
    """Start the system, wait until every part answers, and print the addresses. Raises LabError."""
    began = time.monotonic()
    home.refuse_unusable()
    backend.refuse_wrong_settings()
    if backend.running() and (other := backend.belongs_elsewhere()):
        console.print(f"The running system belongs to {other}. It is being stopped; its data stays.")
        backend.stop()
    if backend.running() and (lacking := set(options.chosen()) - set(backend.options())):
        console.print(f"The system runs without {', '.join(lacking)}. It is being stopped; its data stays.")
        backend.stop()
    if healed := heal_now(home, backend):
        console.print(healed)
    forget_lost(home, backend, console)
    ran = backend.running()
    again = set_up_again(home, backend, console) if ran else False
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
        if ran:
            _until_up_or_set_up(home, backend, console, progress)
        wait_until_up(backend.endpoints(), progress)
    print_endpoints(backend, console)
    if backend.remarks():
        console.print(backend.remarks(), soft_wrap=True)
    console.print(f"The system is up after {time.monotonic() - began:.1f} s. Next: ./lab status, ./lab test")


def _until_up_or_set_up(home: Home, backend: Backend, console: Console, progress: Progress) -> None:
    """Wait for a system that ran before, and look again for what is missing if it does not come up.

    A server that did not answer before could not be examined, so nobody knows yet whether it is set up.
    """
    try:
        wait_until_up(backend.endpoints(), progress, LOOK_AGAIN_SECONDS)
    except LabError:
        set_up_again(home, backend, console)


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


def print_endpoints(backend: Backend, console: Console) -> None:
    """Print one line for each address. It is never cut, so that it can be copied from a narrow terminal."""
    notes = {"traefik": "dashboard", "consul": "UI"}
    notes |= {name: f"page: {page}" for name, page in added_pages(backend).items()}
    for name, address in backend.endpoints().items():
        console.print(f"{name:<12}{address:<23} {notes.get(name, '')}".rstrip(), soft_wrap=True)


def added_pages(backend: Backend) -> dict[str, str]:
    """Return the path of the page of each server that an option has added.

    Jaeger has one in its image only: its Go module contains none.
    """
    added = options.servers(backend.options())
    return {name: OPTIONAL[name].page for name in added if name != "traces" or backend.kind != "native"}
