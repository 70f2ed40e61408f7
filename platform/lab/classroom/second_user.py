"""A second user for learners' code where the command does not run as root: subordinate ids.

/etc/subuid and /etc/subgid grant ids to each user, and newuidmap(1) and newgidmap(1) put them into a user
namespace. Debian and Ubuntu have both programs in the package uidmap. See user_namespaces(7) and subuid(5).
"""

import errno
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.classroom import kernel
from lab.classroom.job import CONFINED_USER

TOOLS = ("newuidmap", "newgidmap")
USERS, GROUPS = Path("/etc/subuid"), Path("/etc/subgid")
KILL, SETGID, SETUID, SYS_PTRACE = 5, 6, 7, 19
HANDED_ON = (KILL, SETGID, SETUID, SYS_PTRACE)
"""Capabilities that the supervisor and the checks need to start, watch and end code of the second user."""


@dataclass(frozen=True)
class Granted:
    """The first of the ids that this user may use: one for a user, and two for groups."""

    user: int
    group: int


def granted() -> Granted | None:
    """Return the subordinate ids of this user; None for root, and where they or the tools are missing."""
    if os.geteuid() == 0 or not all(shutil.which(tool) for tool in TOOLS):
        return None
    user, group = _first(USERS, 1), _first(GROUPS, 2)
    return None if user is None or group is None else Granted(user, group)


def _first(file: Path, wanted: int) -> int | None:
    """Return the first id of a range with at least `wanted` ids, from lines such as "ada:100000:65536"."""
    try:
        lines = [line.split(":") for line in file.read_text(encoding="utf-8").splitlines()]
        names = {str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name}
        return next((int(n[1]) for n in lines if len(n) == 3 and n[0] in names and int(n[2]) >= wanted), None)
    except (OSError, KeyError, ValueError):
        return None


def enter_user_namespace(flags: int, ids: Granted | None) -> None:
    """Move this process into a new user namespace, and into those of `flags`. Raises OSError.

    It keeps its own number as a user. With `ids`, CONFINED_USER exists there as well, and this process gives
    up all groups of its user: what only a group may write is then closed to the second user.
    """
    uid, gid = os.getuid(), os.getgid()
    if ids is None:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        kernel.become_own_root(uid, gid)
        return
    helper, done = _helper(ids, uid, gid)
    try:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
    finally:
        os.close(done)  # the helper waits for this
        code = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    if code:
        raise OSError(errno.EPERM, "newuidmap or newgidmap failed", "/etc/subuid")
    os.setgroups([])
    os.setresgid(gid, gid, gid)


def _helper(ids: Granted, uid: int, gid: int) -> tuple[int, int]:
    """Start a process that stays outside of the namespace and writes its maps when the pipe is closed.

    Return its id, and the end of the pipe.
    """
    wait, done = os.pipe()
    process = os.getpid()
    if child := os.fork():
        os.close(wait)
        return child, done
    os.close(done)
    os.read(wait, 1)
    user = (process, uid, uid, 1, CONFINED_USER, ids.user, 1)
    group = (process, gid, ids.group, 1, CONFINED_USER, ids.group + 1, 1)
    maps = zip(TOOLS, (user, group), strict=True)
    os._exit(any(subprocess.call([tool, *map(str, ids)]) for tool, ids in maps))
