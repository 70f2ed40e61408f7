"""./lab site: the course as web pages, from the executed copies of the notebooks."""

from pathlib import Path

import click

from lab.home import REPO
from lab.terminal import Console


def register(cli: click.Group, console: Console) -> None:
    """Add the command to `cli`."""

    @cli.command()
    @click.argument("folder", required=False, type=click.Path(path_type=Path))
    def site(folder: Path | None) -> None:
        """Write the course as web pages into FOLDER (results/site); a browser opens them without a server."""
        from lab.site.build import build  # imports Jupyter

        target = (folder or REPO / "results" / "site").absolute()
        for remark in build(target):
            console.print(remark, soft_wrap=True)
        console.print(f"Open in a browser: {target / 'index.html'}", soft_wrap=True)
