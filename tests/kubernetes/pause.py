"""The first process of each pod: it holds the pod's namespaces, and takes over what lost its parent.

It must have one thread only. The overlay `laptop` gives all programs of a pod one namespace of process ids,
and lets them run as one user. A thread has an id of that namespace, too. A program in Go has seven threads,
and after a restart of the node one of them had the id of the PostgreSQL before. The new PostgreSQL found that
id in `postmaster.pid`, took it for a running server, and refused to start. So these few instructions for
x86-64 are written out: no compiler for C need be there.
"""

import struct

CODE = bytes.fromhex(
    "b80d000000"  # eax = 13: rt_sigaction
    "bf11000000"  # edi = 17: SIGCHLD
    "488d3513000000"  # rsi = the address of ACTION
    "31d2"  # edx = 0: the old action is not wanted
    "41ba08000000"  # r10d = 8: the size of a set of signals
    "0f05"  # call the kernel
    "b822000000"  # eax = 34: pause
    "0f05"  # call the kernel
    "ebf7"  # and again, after each signal
)
ACTION = struct.pack("<4Q", 1, 0, 0, 0)
"""SIG_IGN: the kernel removes ended children by itself."""
BASE = 0x400000


def program() -> bytes:
    """Return the program as an ELF file."""
    headers = 64 + 56
    size = headers + len(CODE) + len(ACTION)
    elf = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01", 2, 62, 1, BASE + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    loaded = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return elf + loaded + CODE + ACTION
