"""Turn an exception into a sentence: what happened, with which file or server, and what to do."""

import errno
import os
import pwd
import time
import traceback
from pathlib import Path

from lab.errors import LabError
from lab.home import Home
from lab.text import shortened

LOG = "errors.log"
FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
REMEDIES = {
    errno.ENOENT: "Check the path: each folder in it must exist.",
    errno.ENOTDIR: "A part of the path is a file. Name a path through folders only.",
    errno.EISDIR: "Name a file in this folder.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
    errno.ELOOP: "Symbolic links in the path lead back to themselves. Name another path.",
}


def sentence(error: BaseException, home: Home) -> str:
    """Return what the user needs to know. The traceback of an unexpected error is written to a file."""
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return f"The disk that holds {home.root} is full. See how much is free: ./lab doctor"
    if isinstance(error, OSError) and error.filename:
        return of_file(error)
    kind = type(error).__name__
    return f"The command failed ({kind}: {shortened(error, 200)}). {_kept(error, home)}"


def of_file(error: OSError) -> str:
    """Return which file or folder cannot be used, why, and what to do about it."""
    path = Path(os.fsdecode(error.filename))
    if error.errno in REFUSED:
        return refused(path, error)
    remedy = REMEDIES.get(error.errno or 0, "Correct this, then type the command again.")
    return f"{shortened(path, 200)}: {error.strerror or error}. {remedy}"


def refused(path: Path, error: OSError) -> str:
    """Return who owns a file or folder, which user runs this program, and what to do about it."""
    if error.errno == errno.EROFS:
        return f"{path} is on a read-only disk. Use another folder: LAB_HOME=FOLDER ./lab …"
    there = next((place for place in (path, *path.parents) if _seen(place)), Path("/"))
    owner = there.stat().st_uid
    if owner == os.geteuid():
        return f"{path} cannot be written: its permissions forbid it. Change them: chmod u+rwX '{there}'"
    return (
        f"{path} cannot be used: it belongs to {user(owner)}, and ./lab runs as {user(os.geteuid())}.\n"
        f"Run ./lab as {user(owner)}, or use a folder of your own: LAB_HOME=FOLDER ./lab …"
    )


def _seen(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def user(number: int) -> str:
    """Return the name of a user, or the number where there is no name."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _kept(error: BaseException, home: Home) -> str:
    """Append the traceback to a file, for a report of the error, and return where it is."""
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        with (home.root / LOG).open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(f"{time.strftime('%F %T')}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return "Check the machine: ./lab doctor"
    return f"The traceback is in {home.root / LOG}. Check the machine: ./lab doctor"
