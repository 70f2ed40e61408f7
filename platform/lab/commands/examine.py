"""./lab doctor and ./lab demo."""

from itertools import chain
from pathlib import Path

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
    @click.option("--class", "for_class", is_flag=True, help="Also check what a class needs.")
    @click.option("--learners", type=click.IntRange(1, 500), default=1, show_default=True,
                  help="With --class: how many systems this machine has to run.")  # fmt: skip
    @click.option(
        "--bundle", type=click.Path(path_type=Path), help="With --class: the archive of ./lab bundle."
    )
    def doctor(for_class: bool, learners: int, bundle: Path | None) -> None:
        """Check for known problems, and print the command for each."""
        from lab.classroom import room
        from lab.doctor import examine

        findings = examine(home, backend)
        if for_class:
            findings = chain(findings, room.examine(home, learners, bundle))
        remedies = []
        for finding in findings:
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
