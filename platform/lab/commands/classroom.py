"""./lab class: the group of commands with which an instructor runs a class."""

import click


def register(cli: click.Group) -> click.Group:
    """Add the group to `cli` and return it, so that other modules can add their commands to it."""

    @cli.group("class")
    def classroom() -> None:
        """Run a class: collect and judge what learners hand in, and see where they are."""

    return classroom
