"""PostgreSQL's cluster: its folder, its owner, and its creation."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from lab import environment
from lab.home import Home

SHARED = Path("/var/lib/civildiy-lab")
LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8")
"""initdb's options on both backends: letters sort and change case in the same way."""


def as_owner(group: int | None = None) -> list[str]:
    """Return the prefix that runs a command as PostgreSQL's user, because PostgreSQL refuses to run as root.

    `group`: a group id to use instead of that user's own.
    """
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", "postgres", "--regid", str(group or "postgres"), "--clear-groups"]


def data_folder(home: Home) -> Path:
    """Return the data folder: in the home, or outside it if the user postgres may not enter the home."""
    if os.geteuid() == 0:
        above = [path for path in home.data.parents if path.exists()]
        if not all(path.stat().st_mode & stat.S_IXOTH for path in above):
            place = hashlib.sha256(str(home.root).encode()).hexdigest()[:12]
            return SHARED / place / "postgresql"
    return home.data / "postgresql"


def ensure_cluster(home: Home, binaries: Path, password: str) -> Path:
    """Create the cluster if there is none, and return its folder. An unfinished one is created again.

    Raises CalledProcessError, with initdb's messages in `output`.
    """
    folder = data_folder(home)
    if folder.exists():
        return folder
    new = folder.with_name("postgresql.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w") as secret:
        secret.write(password)
        secret.flush()
        if os.geteuid() == 0:
            # The user postgres must be able to enter the folders above its own.
            for above in new.parents if new.is_relative_to(SHARED) else ():
                if above.is_relative_to(SHARED):
                    above.chmod(above.stat().st_mode | stat.S_IXOTH)
            shutil.chown(new, "postgres", "postgres")
            shutil.chown(secret.name, "postgres")
        subprocess.run(
            [*as_owner(), str(binaries / "initdb"), "-D", str(new), "-U", "postgres", *LOCALE,
             "--auth=scram-sha-256", f"--pwfile={secret.name}"],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/",
            env=environment.own(),
        )  # fmt: skip
    new.rename(folder)
    return folder
