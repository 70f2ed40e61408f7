"""The pods of the units, as the cluster reports them."""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from lab.backends.kubernetes.kubectl import Kubectl
from lab.backends.lifecycle import Unit
from lab.errors import LabError

NAME = "app.kubernetes.io/name"
CONTAINER = "main"
FRESH_SECONDS = 0.3
"""One answer of the cluster serves all questions within this time."""
PAUSED = "paused"
"""A pod with this annotation was paused by ./lab break. The cluster itself does not see that."""
USED = "cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes 2> /dev/null"

Pod = dict[str, Any]


class Pods:
    """All pods of the namespace. Of several pods of a unit, the newest that is not being deleted counts."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._seen: tuple[float, list[Pod]] = (float("-inf"), [])

    def forget(self) -> None:
        """Ask the cluster again at the next question, because something was changed."""
        self._seen = (float("-inf"), [])

    def all(self) -> list[Pod]:
        """Return all pods of the namespace."""
        if time.monotonic() - self._seen[0] > FRESH_SECONDS:
            found = self._kubectl.found("pods").get("items", [])
            # From the end of the call on: on a busy machine the call itself takes longer than FRESH_SECONDS.
            self._seen = (time.monotonic(), found)
        return self._seen[1]

    def of(self, unit: str) -> list[Pod]:
        """Return the pods of a unit, those that are being deleted first, and then the newest last."""
        found = [pod for pod in self.all() if pod["metadata"]["labels"].get(NAME) == unit]
        return sorted(found, key=lambda pod: (not _ending(pod), pod["metadata"]["creationTimestamp"]))

    def current(self, unit: str) -> Pod | None:
        """Return the unit's pod that is not being deleted."""
        return next((pod for pod in reversed(self.of(unit)) if not _ending(pod)), None)

    def running(self, unit: str) -> Pod:
        """Return the unit's pod whose program runs. Raises LabError without one."""
        pod = self.current(unit)
        if pod is None or number(pod) is None:
            raise LabError(f"{unit} is not running. Start it: ./lab up. See its state: ./lab status")
        return pod

    def address(self, unit: str) -> str:
        """Return the address of the unit's pod; '' without one."""
        pod = self.current(unit)
        return str(pod["status"].get("podIP", "")) if pod else ""

    def execute(self, pod: Pod, *command: str) -> str:
        """Run a command in the pod's container, and return its output. Raises LabError when it fails."""
        return self._kubectl.change("exec", pod["metadata"]["name"], "--container", CONTAINER, "--", *command)

    def unready(self, names: Iterable[str]) -> list[str]:
        """Return the names of the units that are not ready, without measuring their memory."""
        self.forget()
        ready = [name for name in names if (pod := self.current(name)) and container(pod).get("ready")]
        return [name for name in names if name not in ready]

    def units(self, names: Iterable[str]) -> list[Unit]:
        """Return the state of each unit."""
        self.forget()
        pods = {name: self.current(name) for name in names}
        usage = self._usage({pod["spec"].get("nodeName", "") for pod in pods.values() if pod})
        return [self._unit(name, pod, usage) for name, pod in pods.items()]

    def _unit(self, unit: str, pod: Pod | None, usage: dict[str, int]) -> Unit:
        if pod is None:
            return Unit(unit, "stopped", None, None, 0, None)
        status = container(pod)
        restarts = int(status.get("restartCount", 0))
        identity = str(status.get("containerID", "")).rpartition("/")[2][:12]
        running = status.get("state", {}).get("running")
        if running is None:
            waits = status.get("state", {}).get("waiting", {}).get("reason", "")
            word = "restarting" if restarts or "BackOff" in waits else "starting"
            return Unit(unit, word, None, identity or None, 0, None, restarts)
        word = "running" if status.get("ready") else "starting"
        if PAUSED in pod["metadata"].get("annotations", {}):
            word = "paused"
        memory = usage.get(pod["metadata"]["name"]) or self._measured(pod)
        return Unit(unit, word, number(pod), identity, memory, _time(running["startedAt"]), restarts)

    def _usage(self, nodes: set[str]) -> dict[str, int]:
        """Return the bytes in use by each pod, as the nodes report them; they measure every ten seconds."""
        found = {}
        for node in nodes - {""}:
            summary = self._kubectl.found_raw(f"/api/v1/nodes/{node}/proxy/stats/summary")
            for pod in summary.get("pods", []):
                found[pod["podRef"]["name"]] = int(pod.get("memory", {}).get("workingSetBytes", 0))
        return found

    def _measured(self, pod: Pod) -> int:
        """Ask a new pod itself, because its node has not measured it yet."""
        with suppress(LabError, ValueError, IndexError):
            return int(self.execute(pod, "sh", "-c", f"{USED}; true").split()[0])
        return 0


def selector(unit: str) -> str:
    """Return the label by which `kubectl` finds the pods of a unit."""
    return f"{NAME}={unit}"


def container(pod: Pod) -> dict[str, Any]:
    """Return the status of the pod's only container; {} while it has none."""
    found: list[dict[str, Any]] = pod["status"].get("containerStatuses", [])
    return found[0] if found else {}


def number(pod: Pod) -> int | None:
    """Return a number that changes with each start of the pod's program; None while it does not run.

    The cluster tells no process id, which would be that of another machine. So this is made of the id of
    the container: each start of a program is a new container.
    """
    status = container(pod)
    if "running" not in status.get("state", {}):
        return None
    return int(str(status["containerID"]).rpartition("/")[2][:7], 16)


def trouble(pod: Pod) -> str:
    """Return why a pod cannot start, when waiting does not help; '' else."""
    waiting = container(pod).get("state", {}).get("waiting", {})
    if waiting.get("reason") in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"):
        return f"its image {container(pod)['image']} is not there ({waiting['reason']})"
    if waiting.get("reason") == "CreateContainerConfigError":
        return str(waiting.get("message", "its settings are incomplete"))
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", "no node has room for it"))
    return ""


def _ending(pod: Pod) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
