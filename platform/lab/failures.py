"""Errors as a sentence: what happened, with what, and what to do."""

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


def sentence(error: BaseException, home: Home) -> str:
    """What a person needs to know; the traceback of an error that nobody expected goes to a file."""
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return f"The disk is full ({home.root}). Look: ./lab doctor"
    if isinstance(error, OSError) and error.errno in REFUSED and error.filename:
        return refused(Path(os.fsdecode(error.filename)), error)
    if isinstance(error, OSError) and error.filename:
        return f"{shortened(os.fsdecode(error.filename), 200)}: {error.strerror}."
    kind = type(error).__name__
    return f"This did not work ({kind}: {shortened(error, 200)}). {_kept(error, home)}"


def refused(path: Path, error: OSError) -> str:
    """Whose a file or folder is, who runs this, and what to do about it."""
    if error.errno == errno.EROFS:
        return f"{path} is on a disk that cannot be written. Use another folder: LAB_HOME=FOLDER ./lab …"
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
    """The name of a user, or the number where there is no name."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _kept(error: BaseException, home: Home) -> str:
    """Write the details where they help to report the error; returns where."""
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        with (home.root / LOG).open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(f"{time.strftime('%F %T')}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return "Look: ./lab doctor"
    return f"The details are in {home.root / LOG}. Look: ./lab doctor"
