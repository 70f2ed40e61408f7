"""./lab class listen, overview, join and leave: see where a class is while it works."""

import click

from lab.home import Home
from lab.terminal import Console


def register(group: click.Group, home: Home, console: Console) -> None:
    """Add the commands to the group `class`."""
