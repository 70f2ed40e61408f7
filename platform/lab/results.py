"""Where bench, storm and soak write their results: a folder that git ignores, or one that the user names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lab.errors import LabError
from lab.home import REPO

FOLDER = "results"

option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--out", default=REPO / FOLDER, show_default=FOLDER, type=Path, help="Folder for the results."
)
"""The option that all three commands have. By default it names a folder of the repository."""


def folder(place: Path) -> Path:
    """Return the folder, and create it if it is missing. Raises LabError when it cannot be written."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        probe = place / ".lab-writes-here"
        probe.touch()
        probe.unlink()
    except (FileExistsError, NotADirectoryError):
        raise LabError(f"{place} is not a folder. Name a folder for the results: --out FOLDER") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LabError(
            f"The results cannot be written to {place}: {why}. Name another folder: --out FOLDER"
        ) from None
    return place


def file(place: Path) -> Path:
    """Return the file, and create its folder if it is missing. Raises LabError when it cannot be written."""
    if place.is_dir():
        raise LabError(f"{place} is a folder. Name a file in it, such as {place / 'bench.json'}")
    folder(place.parent)
    return place
