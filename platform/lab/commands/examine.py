"""./lab doctor and ./lab demo."""

import click

from lab.backends.protocol import Backend
from lab.commands.system import need_running
from lab.errors import LabError
from lab.home import Home
from lab.terminal import Console
from lab.text import shortened


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    def doctor() -> None:
        """Check for known problems, and print the command for each."""
        from lab.doctor import examine

        remedies = []
        for finding in examine(home, backend):
            mark = "LOOK" if finding.remedy else "ok"
            console.print(f"{mark:<5} {finding.what}: {finding.seen}", soft_wrap=bool(finding.remedy))
            if finding.remedy:
                remedies.append(f"{finding.what}: {finding.remedy}")
        if remedies:
            raise LabError("What to do:\n" + "\n".join(f"  {remedy}" for remedy in remedies))
        console.print("No problem was found. Next: ./lab up")

    @cli.command()
    def demo() -> None:
        """Follow one post through every part of the system."""
        from lab.demo import story
        from lab.probes.unavailable import UNAVAILABLE

        need_running(backend)
        try:
            for number, (headline, shown) in enumerate(story(backend.endpoints()), 1):
                console.print(f"\n{number}. {headline}", style="bold")
                console.print(shown)
        except UNAVAILABLE as error:
            why = shortened(f"{type(error).__name__}: {error}", 200)
            raise LabError(
                f"A part of the system does not answer ({why}). See which: ./lab status"
            ) from error
