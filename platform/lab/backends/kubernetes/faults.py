"""Faults of the Kubernetes backend, by commands in the unit's own pod. Impossible faults raise LabError.

The overlay `laptop` gives each pod one process namespace. Its first process is the pod's `pause`, so signals
from inside the pod reach the unit's main process, SIGKILL included.
"""

from contextlib import suppress

from lab.backends.kubernetes.kubectl import Kubectl
from lab.backends.kubernetes.pods import PAUSED, Pods, container
from lab.errors import LabError
from lab.topology import OPTIONAL, SECONDS, UNITS

MAIN = """
main=
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    parent=
    while read -r name value rest; do
        [ "$name" = PPid: ] && parent=$value && break
    done 2>/dev/null < $folder/status
    [ "$parent" = 0 ] && [ $pid != 1 ] && [ $pid != $$ ] || continue
    { [ -z "$main" ] || [ $pid -lt $main ]; } && main=$pid
done
"""
"""Shell code that finds the main process. Its parent is outside the pod, so it is 0 here. So is that of every
other program that was started from outside, but the main process is older than these."""
ALL = """
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ $pid = 1 ] || [ $pid = $$ ] || kill -%s $pid 2>/dev/null
done
:"""


class KubernetesFaults:
    """The faults of a unit that runs as a pod."""

    kubectl: Kubectl
    _pods: Pods

    def signal(self, unit: str, number: int) -> None:
        """Send a signal to the unit's main process. Raises LabError when it is not running."""
        known(unit)
        self._pods.forget()
        pod = self._pods.running(unit)
        self._pods.execute(pod, "sh", "-c", f"{MAIN}\nkill -{int(number)} $main")
        self._pods.forget()

    def revive(self, unit: str) -> None:
        """Replace the pod of a crashed unit: its node would wait longer before each restart."""
        known(unit)
        self._pods.forget()
        pod = self._pods.current(unit)
        if pod is not None and "running" not in container(pod).get("state", {}):
            self.kubectl.attempt("delete", "pod", pod["metadata"]["name"], "--wait=false")
            self._pods.forget()

    def freeze(self, unit: str) -> None:
        """Send SIGSTOP to all processes of the pod except its first one."""
        known(unit)
        pod = self._pods.running(unit)
        self._pods.execute(pod, "sh", "-c", ALL % "STOP")
        self.kubectl.attempt("annotate", "--overwrite", "pod", pod["metadata"]["name"], f"{PAUSED}=true")
        self._pods.forget()

    def thaw(self, unit: str) -> None:
        """Send SIGCONT to all processes of the pod; do nothing when it does not run."""
        with suppress(LabError):
            pod = self._pods.running(unit)
            self._pods.execute(pod, "sh", "-c", ALL % "CONT")
            self.kubectl.attempt("annotate", "pod", pod["metadata"]["name"], f"{PAUSED}-")
        self._pods.forget()

    def cut_off(self, unit: str) -> None:
        """Refuse: the network plugin decides whether a NetworkPolicy has an effect, and on whom."""
        known(unit)
        raise _elsewhere("cut-off", "native or compose")

    def reconnect(self, unit: str) -> None:
        """Do nothing: `cut_off` is impossible here."""

    def fill_disk(self, unit: str) -> None:
        """Refuse: a volume in use cannot be limited."""
        raise _elsewhere("full-disk", "native")

    def free_disk(self, unit: str) -> None:
        """Do nothing: `fill_disk` is impossible here."""

    def skew_clock(self, unit: str, seconds: int) -> None:
        """Refuse, except for 0: pods share the clock of their node."""
        if seconds:
            raise _elsewhere("clock-skew", "native")


def known(unit: str) -> None:
    """Raise LabError for a name that is no unit."""
    if unit not in (*UNITS, *OPTIONAL, *SECONDS):
        raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")


def _elsewhere(fault: str, backends: str) -> LabError:
    return LabError(f"The fault {fault} is only possible with LAB_BACKEND={backends}.")
