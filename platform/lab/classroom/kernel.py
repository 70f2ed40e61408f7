"""System calls of Linux that Python 3.11 does not offer: namespaces, mounts, parent-death signal.

Constants and their meaning: namespaces(7), mount(2), mount_setattr(2), prctl(2), netdevice(7).
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
READ_ONLY, NO_SUID = 1, 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP = 1, 24
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION_3 = 0x20080522
KEPT = {
    0,
    1,
    3,
    4,  # CHOWN, DAC_OVERRIDE, FOWNER, FSETID: the data folder of PostgreSQL's user
    5,
    6,
    7,  # KILL, SETGID, SETUID: processes of other users, and to become one
    10,
    12,  # NET_BIND_SERVICE, NET_ADMIN: port 80, and the packet filter of the cell's own network
    19,
    23,
    24,  # SYS_PTRACE, SYS_NICE, SYS_RESOURCE: which folder a process works in, and its limits
}
"""Numbers of capabilities(7)."""
SYS_MOUNT_SETATTR = 442  # the same number on all architectures
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Move this process into new namespaces. Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount `source` on `target`. Raises OSError that names the target."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags),
        data.encode() or None,
    )  # fmt: skip
    _checked(result, str(target))


def bind(source: Path, target: Path) -> None:
    """Let the folder `source` appear at `target` as well, with everything that is mounted below it."""
    mount(os.fspath(source), target, flags=MS_BIND | MS_REC)


def tmpfs(target: Path, megabytes: int, mode: str = "755") -> None:
    """Mount an empty file system in memory that holds at most `megabytes` (10⁶ bytes)."""
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={megabytes * 1000}k,mode={mode}")


def set_read_only(target: Path, *, read_only: bool, below: bool = False) -> None:
    """Make the mount at `target` read-only, or writable; `below`: also all mounts below it. Linux 5.12."""
    on, off = (READ_ONLY | NO_SUID, 0) if read_only else (0, READ_ONLY)
    attributes = struct.pack("=QQQQ", on, off, 0, 0)
    result = _libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), AT_RECURSIVE if below else 0, attributes,
        ctypes.c_size_t(len(attributes)),
    )  # fmt: skip
    _checked(result, str(target))


def die_with_parent() -> None:
    """Let the kernel send SIGKILL to this process when its parent ends."""
    _checked(_libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Keep only those rights of root that a system of the course needs; no program can get them back.

    Without CAP_SYS_ADMIN, for example, even root cannot make a read-only file system writable.
    """
    for capability in range(64):
        if capability not in KEPT:
            _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the last one that exists


def hand_on(capabilities: tuple[int, ...]) -> None:
    """Let the programs that this process starts have these capabilities without being root.

    A program that changes its user has to give them up by itself: confine.py does. Raises OSError.
    """
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable: numbers 0 to 31, then the others
    _checked(_libc.capget(header, sets), "capget")
    for capability in capabilities:
        sets[2 + 3 * (capability // 32)] |= 1 << capability % 32
    _checked(_libc.capset(header, sets), "capset")
    for capability in capabilities:
        given = map(ctypes.c_ulong, (PR_CAP_AMBIENT_RAISE, capability, 0, 0))
        _checked(_libc.prctl(PR_CAP_AMBIENT, *given), "prctl")


def raise_loopback() -> None:
    """Switch on the loopback interface of a new network namespace. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def become_own_root(uid: int, gid: int) -> None:
    """In a new user namespace, keep this user's own numbers. Raises OSError."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
