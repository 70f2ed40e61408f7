"""Start a program that a learner's code may take over, with limits that it cannot lift.

    python -I -S confine.py OPTIONS -- COMMAND…

It uses only the standard library and keeps its process id, because the supervisor sends signals to it. The
limits hold for the command and everything that it starts:

- another user (`--user`), so that it cannot touch files and processes of the graders. Root can change to it,
  and so can a process with the capabilities for that, which it then loses
- hard resource limits (setrlimit(2)): memory, processes, sizes of files, open files, no core dumps
- no new privileges (prctl(2)), so that no set-user-ID program helps it
- Landlock (landlock(7), where the kernel has it): it reads only what `--read` names, writes only what
  `--write` names, and reaches no process outside its own with ptrace or a signal
"""

import argparse
import ctypes
import os
import resource
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
READS = EXECUTE | READ_FILE | READ_DIR
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
SCOPES = 0b11
"""Abstract Unix sockets and signals: version 6 of Landlock."""
WRITABLE_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")

libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """Return the version of Landlock in this kernel, 0 without it."""
    return max(0, int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def landlock(reads: list[str], writes: list[str]) -> None:
    """Allow this process to read and to write only below these paths. Without Landlock, do nothing."""
    version = landlock_version()
    if not version:
        return
    handled = (1 << 13) - 1  # version 1: rights 0 to 12
    handled |= (1 << 13 if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled |= IOCTL_DEV if version >= 5 else 0
    attributes = struct.pack("=QQQ", handled, 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _checked(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    for path in reads:
        _allow(ruleset, path, READS & handled)
    for path in writes:
        _allow(ruleset, path, handled)
    for path in WRITABLE_DEVICES:
        _allow(ruleset, path, (READ_FILE | WRITE_FILE | TRUNCATE) & handled)
    _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):  # noqa: PTH112 - this program imports as little as possible
        rights &= OF_A_FILE
    _checked(libc.syscall(ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, place), 0))
    os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def limit(kind: int, most: int) -> None:
    """Set a hard limit, unless a lower one holds already."""
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def main() -> None:
    """Limit this process, then replace it with the command."""
    parser = argparse.ArgumentParser(description="limits for a program")
    parser.add_argument("--user", type=int, default=-1)
    parser.add_argument("--group", type=int, default=-1, help="default: the group that the process has")
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True, help="bytes of one process")
    parser.add_argument("--file", type=int, required=True, help="bytes of one file")
    parser.add_argument("--read", action="append", default=[])
    parser.add_argument("--write", action="append", default=[])
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NOFILE, 1024)
    limit(resource.RLIMIT_DATA, options.memory)
    limit(resource.RLIMIT_FSIZE, options.file)
    limit(resource.RLIMIT_NPROC, options.processes)
    if options.user >= 0:
        # By default the unit's own group, by which the packet filter knows it.
        group = options.group if options.group >= 0 else os.getgid() or options.user
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(options.user, options.user, options.user)
        zero = ctypes.c_ulong(0)  # ambient capabilities would survive the change from one user to another
        _checked(libc.prctl(PR_CAP_AMBIENT, ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL), zero, zero, zero))
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    landlock(options.read, options.write)
    os.execvp(options.command[0], options.command)  # noqa: S606


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"confine: the limits could not be set: {error}")
