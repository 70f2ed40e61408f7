"""Why the kernel refuses a cell, and what to do: one sentence for each cause."""

import os
from pathlib import Path

from lab.errors import LabError

SETTINGS = {
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    "kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
    "user/max_user_namespaces": ("0", "user.max_user_namespaces=10000"),
}
"""Settings that keep namespaces from users: the value that does, and the setting that allows them."""


def refused(error: OSError) -> LabError:
    """Return the error of the command: what the kernel refused, why, and what to do."""
    said = f"The kernel refuses a sandbox for submissions ({error.strerror}: {error.filename})."
    return LabError(f"{said} No submission was started.\n{_remedy(str(error.filename))}")


def _remedy(what: str) -> str:
    if what == "/proc":
        return (
            "This machine seems to be a container that hides parts of /proc. Judge outside of the container,"
            " or in a virtual machine."
        )
    if os.geteuid() == 0:
        return (
            "You are root without the right to create namespaces (CAP_SYS_ADMIN), as in a container. Judge"
            " outside of it, or in a virtual machine."
        )
    if what == "/etc/subuid":
        return "Your entries in /etc/subuid and /etc/subgid cannot be used. Repair them, or remove uidmap."
    for name, (value, setting) in SETTINGS.items():
        if _content(Path("/proc/sys", name)) == value:
            return (
                f"A setting of this machine forbids it. Allow it: sudo sysctl {setting}."
                " Or run the command as root."
            )
    return "Run the command as root, or on a machine that allows user namespaces to this user."


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
