"""./lab submit, and the commands of `./lab class` for an instructor."""

import sys
from pathlib import Path

import click

from lab.backends.protocol import Backend
from lab.home import Home
from lab.terminal import Console, print_rows, prompt

COURSE = click.option(
    "--course", type=click.Path(path_type=Path), help="The course file of your class (TOML)."
)


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    @click.option("--name", default="", help="Your name, as your instructor knows it. Asked for without it.")
    @COURSE
    @click.option(
        "--out", type=click.Path(path_type=Path), default=Path(), help="Write the archive into this folder."
    )
    def submit(name: str, course: Path | None, out: Path) -> None:
        """Put your work into one archive for your instructor."""
        from lab.classroom import course_file, submit

        name = name or prompt("Your name, as your instructor knows it", "--name NAME")
        written = submit.submit(home, course_file.read(course), name, out)
        for line in written.labs:
            console.print(line)
        rows = [(part, f"{size:,}") for part, size in written.members.items()]
        print_rows(console, ("in the archive", "bytes"), rows, right=["bytes"], whole=["in the archive"])
        console.print("Nothing else of this machine is in it.")
        console.print(f"Give this file to your instructor: {written.file.absolute()}", soft_wrap=True)

    @cli.group("class")
    def class_() -> None:
        """Work with a class: judge submissions, and see where the class stands."""

    @class_.command()
    @click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
    @COURSE
    @click.option("--labs", default="", help="Judge only these labs, such as 01,04.")
    @click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
    @click.option("--seed", type=click.IntRange(0), help="Use the same users and data as an earlier run.")
    @click.option("--out", type=click.Path(path_type=Path), help="Write the results into this folder.")
    def check(
        folder: Path, course: Path | None, labs: str, resume: bool, seed: int | None, out: Path | None
    ) -> None:
        """Judge all archives in FOLDER, each lab alone on a fresh system with your own graders.

        The results are written to FOLDER/results, also while the run goes on. Ctrl-C stops the run, and
        --resume continues it. Exit code 1: a file was refused, or a lab could not be judged.
        """
        from lab.classroom import course_file
        from lab.classroom.class_check import ClassCheck

        read = course_file.read(course)
        chosen = course_file.chosen(read, labs)
        run = ClassCheck(home, console, read, chosen, folder, out or folder / "results")
        sys.exit(run.run(resume=resume, seed=seed))
