"""Check whether this machine's processor can run MongoDB. On a wrong one, `mongod` crashes at its start."""

import platform
import re
from pathlib import Path

from lab.finding import Finding

CPUINFO = Path("/proc/cpuinfo")
ARMV8_2 = {"asimdhp", "fphp", "dcpop", "asimddp", "sha3", "sha512", "sm3", "sm4", "sve"}
"""Features that ARMv8.2-A introduced. A processor of that generation has at least one of them."""


def finding(machine: str = "", cpuinfo: Path = CPUINFO) -> Finding:
    """Report on the processor. `machine` is its architecture, by default this machine's."""
    machine = machine or platform.machine()
    if not cpuinfo.exists():  # macOS: every Apple processor can run MongoDB
        return Finding("processor", f"{machine}; its features cannot be read here")
    features = set(re.findall(r"\w+", cpuinfo.read_text().lower()))
    if machine in ("x86_64", "amd64", "AMD64"):
        return _judged(machine, "AVX", "avx" in features)
    if machine in ("aarch64", "arm64"):
        return _judged(machine, "ARMv8.2-A", bool(ARMV8_2 & features))
    remedy = "the servers' images exist only for x86_64 and arm64; use another machine"
    return Finding("processor", machine, remedy)


def _judged(machine: str, needed: str, good: bool) -> Finding:
    if good:
        return Finding("processor", f"{machine} with {needed}")
    remedy = f"MongoDB 5 and later needs a processor with {needed}; use another machine"
    return Finding("processor", f"{machine} without {needed}", remedy)
