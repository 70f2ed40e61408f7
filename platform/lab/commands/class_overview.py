"""./lab class listen, overview, join, leave, sent and slides: see where a class is, and teach it."""

import json
import webbrowser
from pathlib import Path

import click

from lab.home import REPO, Home
from lab.terminal import Console


def _group(cli: click.Group) -> click.Group:
    """Return the group `class`, which another module may have added."""
    known = cli.commands.get("class")
    if isinstance(known, click.Group):
        return known

    @cli.group("class")
    def class_() -> None:
        """Work with a class: judge submissions, and see where the class stands."""

    return class_


def register(cli: click.Group, home: Home, console: Console) -> None:
    """Add the commands to the group `class` of `cli`. Other modules that add to it come first."""
    group = _group(cli)
    port = click.option("--port", type=click.IntRange(0, 65535), default=8780, show_default=True)
    quiet = click.option("--no-browser", is_flag=True, help="Only print the address of the page.")

    @group.command()
    @click.option("--address", default="127.0.0.1", show_default=True,
                  help="Where to listen; 0.0.0.0: on all addresses of this machine.")  # fmt: skip
    @port
    @click.option("--fresh", is_flag=True, help="Forget the class before, and make a new join code.")
    @quiet
    def listen(address: str, port: int, fresh: bool, no_browser: bool) -> None:
        """Collect the progress of learners who join, and show a page that refreshes itself."""
        from lab.classroom.listen import listen as run

        run(home, console, address, port, fresh=fresh, browser=not no_browser)

    @group.command()
    @click.argument("folder", required=False, type=click.Path(path_type=Path))
    @port
    @quiet
    def overview(folder: Path | None, port: int, no_browser: bool) -> None:
        """Show where the class is: from FOLDER, or from the collector that runs on this machine."""
        from lab.classroom.listen import running, show_folder

        if folder is not None:
            show_folder(folder.absolute(), console, port, browser=not no_browser)
            return
        found = running(home)
        console.print(f"Your page: {found.page}", soft_wrap=True)
        if not no_browser:
            webbrowser.open(found.page)

    @group.command()
    @click.argument("where")
    @click.argument("code", default="")
    @click.option("--name", required=True, help="The name that your instructor sees.")
    def join(where: str, code: str, name: str) -> None:
        """Share your progress with a class: WHERE is an address with a port, or a shared folder."""
        from lab.classroom import sharing
        from lab.classroom.snapshot import SHARED

        made = sharing.join(home, where, code, name)
        console.print(f"You have joined as {made.name}. After each check and each prediction this is sent to"
                      f" {made.place}:", soft_wrap=True)  # fmt: skip
        for line in SHARED:
            console.print(f"- {line}")
        console.print("Nothing else is sent. See it: ./lab class sent. End it: ./lab class leave")

    @group.command()
    def leave() -> None:
        """Share nothing any more, and delete what the class has of you."""
        from lab.classroom.sharing import leave as end

        console.print(end(home) or "You have left the class. What it had of you is deleted.", soft_wrap=True)

    @group.command()
    def sent() -> None:
        """Print what is sent to the class after a check, as JSON."""
        from lab.classroom.sharing import membership, refuse_damaged
        from lab.classroom.snapshot import of_home

        refuse_damaged(home)
        known = membership(home)
        to = (
            f"Sent to {known.place} as {known.name}:"
            if known
            else "You have not joined a class. It would be:"
        )
        console.print(to, soft_wrap=True)
        click.echo(json.dumps(of_home(home).as_dict(), indent=1))

    @group.command()
    @click.argument("folder", required=False, type=click.Path(path_type=Path))
    def slides(folder: Path | None) -> None:
        """Write the slides of all lessons into FOLDER (results/slides); they need no network."""
        from lab.site.slides import build

        pages = build((folder or REPO / "results" / "slides").absolute())
        console.print(f"{len(pages)} pages. Open in a browser: {pages[0]}", soft_wrap=True)
