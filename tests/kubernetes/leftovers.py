"""Remove everything that a cluster has started or changed: also what a run that was cut off has left."""

import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from kubernetes.cluster import Cluster

GROUPS = Path("/sys/fs/cgroup")
END_SECONDS = 20.0


def remove(cluster: "Cluster") -> None:
    """End processes and containers, unmount what the node has mounted, and delete its network."""
    cluster.processes.stop("kubelet")
    networks = [*_of_pods(cluster.run_folder), _network()]
    end_containers(cluster)
    cluster.processes.stop_all()
    cluster.processes.end_noted()
    _unmount(cluster.run_folder)
    for network in networks:
        subprocess.run(["ip", "netns", "delete", network], capture_output=True, check=False)
    for group in sorted(GROUPS.glob("**/kubepods"), reverse=True):
        _remove_group(group)


def _network() -> str:
    from kubernetes.cluster import NETWORK

    return NETWORK


def _of_pods(run: Path) -> set[str]:
    """Return the names of the network namespaces that containerd has made, one for each pod."""
    found = set()
    for file in (run / "containerd").glob("io.containerd.runtime.v2.task/k8s.io/*/config.json"):
        with suppress(OSError, ValueError):
            spaces = json.loads(file.read_text())["linux"]["namespaces"]
            found |= {Path(space["path"]).name for space in spaces
                      if space["type"] == "network" and "netns/cni-" in space.get("path", "")}  # fmt: skip
    return found


def end_containers(cluster: "Cluster") -> None:
    """Kill the processes of all containers of this cluster's containerd, and their shims."""
    shims = list(_shims(cluster.run_folder))
    for shim in shims:
        with suppress(psutil.NoSuchProcess):
            for process in (*shim.children(recursive=True), shim):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
    psutil.wait_procs(shims, END_SECONDS)


def _shims(run: Path) -> "list[psutil.Process]":
    """Return the processes that hold a container: each names the socket of its containerd."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words and "containerd-shim" in words[0] and f"{run}/containerd.sock" in words:
            found.append(process)
    return found


def _unmount(folder: Path) -> None:
    """Unmount what lies below the folder, the innermost first."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        lines = Path("/proc/self/mounts").read_text().splitlines()
        inside = [line.split()[1] for line in lines if line.split()[1].startswith(f"{folder}/")]
        if not inside:
            return
        for place in sorted(inside, reverse=True):
            subprocess.run(["umount", place], capture_output=True, check=False)
        time.sleep(0.1)


def _remove_group(group: Path) -> None:
    """Remove a control group and those below it; a group that still has processes stays."""
    for inner in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            inner.rmdir()
    with suppress(OSError):
        group.rmdir()
