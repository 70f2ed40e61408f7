"""Where things are: the repository, and the one folder outside it that ./lab writes to."""

import os
from dataclasses import dataclass
from pathlib import Path

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
        """The home of this user."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(os.environ.get("LAB_HOME") or Path(cache) / "civildiy-lab").absolute())

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
