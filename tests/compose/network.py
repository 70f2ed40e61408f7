"""What an engine changes in the machine's own network, and putting it back: also what a killed run left."""

import json
import subprocess
from pathlib import Path
from typing import Any

import psutil

BOOT = Path("/proc/sys/kernel/random/boot_id")
SECONDS = 20


class HostNetwork:
    """The policy for packets that are handed on, and the interfaces; `file` outlives a killed run."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self) -> None:
        """Note how it is, unless a run that was cut off has noted it since this machine started."""
        if not self._noted():
            before = {"boot": _boot(), "policy": _policy(), "links": sorted(psutil.net_if_addrs())}
            self._file.write_text(json.dumps(before))

    def put_back(self) -> None:
        """Make it as it was noted: an engine leaves its bridges and its policy behind."""
        before = self._noted()
        if not before:
            return
        _do("iptables", "-P", "FORWARD", before["policy"])
        for name in set(psutil.net_if_addrs()) - set(before["links"]):
            if name == "docker0" or name.startswith("br-"):
                _do("ip", "link", "delete", name)
        self._file.unlink(missing_ok=True)

    def _noted(self) -> dict[str, Any]:
        """Return what was noted since this machine started; empty when nothing was."""
        try:
            found: dict[str, Any] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found if found.get("boot") == _boot() else {}


def _boot() -> str:
    return BOOT.read_text().strip() if BOOT.exists() else "unknown"


def _policy() -> str:
    return _do("iptables", "-S", "FORWARD").split("\n")[0].rpartition(" ")[2] or "ACCEPT"


def _do(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    return done.stdout
