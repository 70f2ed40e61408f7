"""Whether MongoDB can run on this machine's processor. Without the right one, `mongod` dies at its start."""

import platform
import re
from pathlib import Path

from lab.health.finding import Finding

CPUINFO = Path("/proc/cpuinfo")
ARMV8_2 = {"asimdhp", "fphp", "dcpop", "asimddp", "sha3", "sha512", "sm3", "sm4", "sve"}
"""Features that came with ARMv8.2-A. A processor of that line has at least one of them."""


def finding(machine: str = "", cpuinfo: Path = CPUINFO) -> Finding:
    """Report on the processor. `machine` is its architecture, by default this machine's."""
    machine = machine or platform.machine()
    if not cpuinfo.exists():  # macOS: Apple's processors have what MongoDB needs
        return Finding("processor", f"{machine}; its features are not visible here")
    features = set(re.findall(r"\w+", cpuinfo.read_text().lower()))
    if machine in ("x86_64", "amd64", "AMD64"):
        return _judged(machine, "AVX", "avx" in features)
    if machine in ("aarch64", "arm64"):
        return _judged(machine, "ARMv8.2-A", bool(ARMV8_2 & features))
    remedy = "the images of the servers exist for x86_64 and arm64 only; use another machine"
    return Finding("processor", machine, remedy)


def _judged(machine: str, needed: str, good: bool) -> Finding:
    if good:
        return Finding("processor", f"{machine} with {needed}")
    remedy = f"MongoDB 5 and later needs a processor with {needed}; use another machine"
    return Finding("processor", f"{machine} without {needed}", remedy)
