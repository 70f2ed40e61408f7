"""A real cluster of one node: every program of Kubernetes, on a network of its own, from nothing to ready.

Nothing of it can be seen from the rest of the machine: it has a network namespace, a containerd and folders
of its own. Every process is ended by the pid with which it was started.
"""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from compose import step
from kubernetes import configs, leftovers
from kubernetes.processes import Processes
from kubernetes.programs import Programs

from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home

NETWORK = "civildiy-kubernetes"
STEP_SECONDS, READY_SECONDS = 120.0, 90.0


class Cluster:
    """The cluster's folder and processes; `seconds` is how long each part took to start."""

    def __init__(self, home: Home, programs: Programs) -> None:
        self.root = Path(os.environ.get("LAB_KUBERNETES") or home.root / "kubernetes")
        self.run_folder = self.root / "run"
        self.programs = programs
        self.kubeconfig = self.run_folder / "kubeconfig"
        self.processes = Processes(self.run_folder, ["nsenter", f"--net=/run/netns/{NETWORK}", "--"])
        self.seconds: dict[str, float] = {}

    def inside(self, *command: object) -> list[str]:
        """Return a command that runs in the cluster's network."""
        return [*self.processes.prefix, *(str(word) for word in command)]

    def environment(self) -> dict[str, str]:
        """Return an environment in which `kubectl` finds the cluster."""
        path = f"{self.programs.kubernetes}:{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def run(self, *command: object, seconds: float = STEP_SECONDS, may_fail: bool = False) -> str:
        """Run a command in the cluster's network and return its output. Raises LabError when it fails."""
        code, said = step.run(self.inside(*command), self.environment(), seconds * slow())
        if code != 0 and not may_fail:
            raise LabError(f"{' '.join(str(part) for part in command[:6])} … failed:\n{said[-3000:]}")
        return said

    def kubectl(self, *arguments: object, may_fail: bool = False) -> str:
        """Run `kubectl` and return its output. Raises LabError when it fails."""
        return self.run(self.programs.of("kubectl"), *arguments, may_fail=may_fail)

    def ctr(self, *arguments: object, may_fail: bool = False, seconds: float = STEP_SECONDS) -> str:
        """Run `ctr` on the cluster's own containerd, and return its output."""
        socket = self.run_folder / "containerd.sock"
        return self.run("ctr", "-a", socket, "-n", "k8s.io", *arguments, may_fail=may_fail, seconds=seconds)

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Run the cluster, and remove all of it at the end."""
        leftovers.remove(self)
        try:
            self._start()
            yield self
        finally:
            leftovers.remove(self)

    def _start(self) -> None:
        shutil.rmtree(self.run_folder, ignore_errors=True)
        self.run_folder.mkdir(parents=True)
        began = time.monotonic()
        self._make_network()
        configs.write(self.root, self.run_folder, secrets.token_hex(16))
        self.start_containerd()
        self._start_control_plane()
        self.seconds["control plane"] = time.monotonic() - began
        self.start_kubelet()
        self._start_names()
        self.until("the node is ready", lambda: " Ready" in self.kubectl("get", "nodes", may_fail=True))
        self.seconds["node ready"] = time.monotonic() - began

    def _make_network(self) -> None:
        """Create the network namespace. All of the node's traffic stays in it."""
        host = [["ip", "netns", "add", NETWORK]]
        inside = [
            ["ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", "node", "type", "veth", "peer", "name", "far"],
            ["ip", "address", "add", f"{configs.NODE_ADDRESS}/24", "dev", "node"],
            ["ip", "link", "set", "node", "up"],
            ["ip", "link", "set", "far", "up"],
            # A packet to the address of a Service needs a route before kube-proxy's rules change it.
            ["ip", "route", "add", "default", "dev", "node"],
            ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"],
        ]  # fmt: skip
        for command in [*host, *(self.inside(*words) for words in inside)]:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"{' '.join(command)} failed: {done.stderr.strip()}")

    def start_containerd(self) -> None:
        """Start the container runtime, and wait until it answers."""
        self.processes.start("containerd", "containerd", "--config", self.run_folder / "containerd.toml")
        self.until("containerd answers", lambda: "REF" in self.ctr("images", "ls", may_fail=True))

    def _start_control_plane(self) -> None:
        run, kubernetes = self.run_folder, self.programs.of
        self.processes.start("etcd", "etcd", *configs.etcd(run))
        self.processes.start("kube-apiserver", kubernetes("kube-apiserver"), *configs.apiserver(run))
        self.until(
            "the API server is ready",
            lambda: self.kubectl("get", "--raw", "/readyz", may_fail=True).endswith("ok"),
        )
        manager = kubernetes("kube-controller-manager")
        self.processes.start("kube-controller-manager", manager, *configs.controller_manager(run))
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"]
        self.processes.start("kube-scheduler", kubernetes("kube-scheduler"), *common)
        self.processes.start("kube-proxy", kubernetes("kube-proxy"), *configs.proxy(run))
        self.kubectl("apply", "-f", run / "cluster.yaml")

    def start_kubelet(self) -> None:
        """Start the node's agent."""
        self.processes.start("kubelet", self.programs.of("kubelet"), *configs.kubelet(self.run_folder))

    def _start_names(self) -> None:
        self.processes.start("coredns", self.programs.coredns, "-conf", self.run_folder / "Corefile")

    def stop_node(self) -> None:
        """Stop the node as a power cut does: its agent, its runtime and all containers; the rest runs on."""
        self.processes.stop("kubelet")
        leftovers.end_containers(self)
        self.processes.stop("containerd")

    def start_node(self) -> None:
        """Start the node again."""
        self.start_containerd()
        self.start_kubelet()

    def until(self, what: str, look: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until `look` returns True. Raises LabError with the ends of the logs."""
        deadline = time.monotonic() + seconds * slow()
        while not look():
            if (ended := self.processes.ended()) or time.monotonic() > deadline:
                why = f"{', '.join(ended)} ended" if ended else "time is up"
                raise LabError(f"Waited until {what}, but {why}.\n{self.processes.tails(ended)}")
            time.sleep(0.2)

    def memory(self) -> int:
        """Return the resident bytes of the cluster's own processes, without the pods."""
        return self.processes.memory()
