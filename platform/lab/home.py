"""Where files are: the repository, and the one folder outside it that ./lab writes to."""

import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.text import visible

REPO = Path(__file__).resolve().parents[2]
PLATFORM = REPO / "platform"
LABS = REPO / "labs"
DEPLOYMENT = PLATFORM / "deployment"
SETTINGS = DEPLOYMENT / "settings"
RECIPES = DEPLOYMENT / "servers"


@dataclass(frozen=True)
class Home:
    """The folder that LAB_HOME names; by default one in the user's cache."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """Return this user's home for the lab. Raises LabError for a path that the servers cannot use."""
        named = os.environ.get("LAB_HOME", "")
        if named and not Path(named).is_absolute():
            raise LabError(
                f"LAB_HOME is {visible(named)}. It must begin with /: a relative path is another folder for"
                f" each folder in which you call ./lab.\nSet the whole path: LAB_HOME={_whole(named)}"
            )
        root = Path(named or _cache() / "civildiy-lab")
        refuse_path("LAB_HOME", root)
        return cls(root)

    def refuse_unusable(self) -> None:
        """Raise an error when the folder cannot be created or written: LabError or PermissionError."""
        there = next(path for path in (self.root, *self.root.parents) if path.exists())
        if not there.is_dir():
            raise LabError(f"{there} is a file, but ./lab needs a folder there. Set LAB_HOME to a folder.")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied", str(there))

    @property
    def servers(self) -> Path:
        """The installed servers. Each has its own folder, which appears when its installation is complete."""
        return self.root / "servers"

    @property
    def build(self) -> Path:
        """Temporary files of an installation; an interrupted one continues from here."""
        return self.root / "build"

    @property
    def stack(self) -> Path:
        """Everything that belongs to the running system of the native backend."""
        return self.root / "stack"

    @property
    def data(self) -> Path:
        """The databases' files: `down` keeps them, `reset` deletes them."""
        return self.stack / "data"

    @property
    def logs(self) -> Path:
        """The log files, one for each unit."""
        return self.stack / "logs"

    @property
    def run(self) -> Path:
        """Files that each `up` writes again, such as the servers' configuration."""
        return self.stack / "run"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, created once and kept as long as the data."""
        return self.stack / "secrets.env"


def _cache() -> Path:
    """Return this user's cache folder. Raises LabError when the user has no home folder."""
    # The XDG Base Directory Specification tells programs to ignore a relative path.
    if (cache := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        return cache
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        raise LabError(
            f"User {os.getuid()} has no home folder, so ./lab does not know where to keep its files."
            "\nName a folder: LAB_HOME=FOLDER ./lab …"
        ) from None


def _whole(named: str) -> str:
    """Return the absolute path that the user probably meant."""
    try:
        return visible(Path(named).expanduser().absolute())
    except (OSError, RuntimeError):  # no home folder, or the current folder is deleted
        return "/FOLDER"


def refuse_path(what: str, path: Path) -> None:
    """Raise LabError for a path that a server would split into two paths.

    Java and Python separate the folders of a search path by colons, Kafka separates its data folders by
    commas, and no server accepts control characters.
    """
    names = {":": "a colon", ",": "a comma"}
    if wrong := [c for c in str(path) if c in names or visible(c) != c or c == "\n"]:
        named = names.get(wrong[0], f"the character {wrong[0]!r}")
        raise LabError(
            f"{what} is {visible(path)}. Some servers would end or split this path at {named}."
            f"\nChoose a folder without it: {what}=FOLDER ./lab …"
        )
