"""The programs of the tests' own cluster: Debian's containerd, and Kubernetes built from its Go modules."""

import os
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from compose import step

from lab.errors import LabError
from lab.home import Home
from lab.install.pins import GoModule, Pins, Wheel
from lab.install.report import Lines
from lab.install.servers import Installer

HERE = Path(__file__).parent
CNI = Path("/usr/lib/cni")
"""Where Debian's package has the network plugins."""
KUBERNETES, APT_SECONDS = "kubelet", 600
BUILT = (KUBERNETES, "coredns", "kubeconform")


@dataclass(frozen=True)
class Programs:
    """Where each built program is."""

    kubernetes: Path
    coredns: Path
    kubeconform: Path

    def of(self, name: str) -> Path:
        """Return a program of Kubernetes itself, such as kube-apiserver."""
        return self.kubernetes / name


def pins() -> Pins:
    """Return the pinned sources of pins.toml."""
    document = tomllib.loads((HERE / "pins.toml").read_text())
    return Pins(
        debian=document["debian"],
        wheels={name: Wheel(**wheel) for name, wheel in document["wheel"].items()},
        go={name: GoModule(**module) for name, module in document["go"].items()},
        kafka="",
    )


def installer(home: Home) -> Installer:
    """Return the installer that knows the folders of these programs."""
    return Installer(home, pins(), HERE / "sources")


def ensure(home: Home) -> Programs:
    """Install and build what is missing, and return where it is. Raises LabError."""
    _ensure_debian(pins().debian)
    made = installer(home)
    if missing := [name for name in BUILT if not made.folder(name).exists()]:
        made.build(missing, Lines())
    folders = {name: made.folder(name) for name in BUILT}
    return Programs(
        folders[KUBERNETES], folders["coredns"] / "coredns", folders["kubeconform"] / "kubeconform"
    )


def _ensure_debian(packages: Mapping[str, str]) -> None:
    there = {name: shutil.which(name) is not None for name in packages} | {"bridge": (CNI / "ptp").exists()}
    missing = [package for name, package in packages.items() if not there[name]]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(
            f"These packages of Debian are missing: {', '.join(missing)}. Only root can install them."
        )
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with suppress(LabError):  # old lists may do as well
        step.run([*apt, "update"], env, APT_SECONDS)
    code, said = step.run([*apt, "install", "-y", "--no-install-recommends", *missing], env, APT_SECONDS)
    if code != 0:
        raise LabError(f"apt-get could not install {', '.join(missing)}:\n{said[-2000:]}")


if __name__ == "__main__":
    ensure(Home.from_environment())
