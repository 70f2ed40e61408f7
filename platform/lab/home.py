"""Where things are: the repository, and the one folder outside it that ./lab writes to."""

import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.text import visible

REPO = Path(__file__).resolve().parents[2]
PLATFORM = REPO / "platform"
DEPLOYMENT = PLATFORM / "deployment"
SETTINGS = DEPLOYMENT / "settings"
RECIPES = DEPLOYMENT / "servers"


@dataclass(frozen=True)
class Home:
    """The folder that LAB_HOME names (by default the user's cache)."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """The home of this user. Raises LabError for a place that the servers cannot use."""
        root = Path(os.environ.get("LAB_HOME") or _cache() / "civildiy-lab").absolute()
        refuse_path("LAB_HOME", root)
        return cls(root)

    def refuse_unusable(self) -> None:
        """Raise LabError where the folder cannot be made or written."""
        there = next(path for path in (self.root, *self.root.parents) if path.exists())
        if not there.is_dir():
            raise LabError(f"{there} is a file, and the lab needs a folder there. Set LAB_HOME to a folder.")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied", str(there))

    @property
    def servers(self) -> Path:
        """Installed servers, one finished folder each."""
        return self.root / "servers"

    @property
    def build(self) -> Path:
        """What installing needs in between; an install that was cut off goes on from here."""
        return self.root / "build"

    @property
    def stack(self) -> Path:
        """The running system of the native backend."""
        return self.root / "stack"

    @property
    def data(self) -> Path:
        """What `down` keeps and `reset` deletes."""
        return self.stack / "data"

    @property
    def logs(self) -> Path:
        """One file for each unit."""
        return self.stack / "logs"

    @property
    def run(self) -> Path:
        """Written anew by each `up`."""
        return self.stack / "run"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, made once; as long-lived as the data."""
        return self.stack / "secrets.env"


def _cache() -> Path:
    """The folder for caches of this user. Raises LabError where the user has none."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        raise LabError(
            f"User {os.getuid()} has no home folder here, so there is no place for the lab's files."
            "\nName a folder: LAB_HOME=FOLDER ./lab …"
        ) from None


def refuse_path(what: str, path: Path) -> None:
    """Raise LabError for a path that some program below would cut in two.

    Java and Python separate the folders of a search path by colons, Kafka separates its data folders by
    commas, and no server takes control characters.
    """
    names = {":": "a colon", ",": "a comma"}
    if wrong := [c for c in str(path) if c in names or visible(c) != c or c == "\n"]:
        named = names.get(wrong[0], f"the character {wrong[0]!r}")
        raise LabError(
            f"{what} is {visible(path)}, and {named} in it separates or ends paths for some servers."
            f"\nChoose a folder without it: {what}=FOLDER ./lab …"
        )
