"""How programs of this machine reach the units of the Kubernetes backend, their logs and the tools."""

from functools import cached_property

from lab import topology
from lab.backends.kubernetes import secrets
from lab.backends.kubernetes.kubectl import Kubectl
from lab.backends.kubernetes.manifests import TOOL
from lab.backends.kubernetes.network import Addresses
from lab.backends.kubernetes.pods import CONTAINER, selector
from lab.home import Home


class KubernetesAccess:
    """Addresses of the units, and the commands that print their logs or run a tool."""

    _home: Home
    kubectl: Kubectl
    _addresses: Addresses

    def endpoints(self) -> dict[str, str]:
        """Return the address of each unit by name."""
        return self._addresses.endpoints()

    def host(self, unit: str) -> str:
        """Return what Consul's catalog lists for the unit: the address of its pod."""
        return self._addresses.host(unit)

    def reach(self, unit: str) -> str:
        """Return the address at which this machine reaches the unit."""
        return self._addresses.reach(unit)

    def variables(self) -> dict[str, str]:
        """Return the addresses as this machine reaches them, and the secrets."""
        return self._addresses.variables() | self._secrets

    @cached_property
    def _secrets(self) -> dict[str, str]:
        """The secrets of the system, which do not change while it runs; one answer serves all questions."""
        return secrets.read(self._home, self.kubectl)

    def listen_host(self) -> str:
        """Return this machine's address, as pods see it."""
        return self._addresses.listen_host()

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's own address, and another one of this machine."""
        return self._addresses.neighbour()

    def log_command(self, unit: str, follow: bool, lines: int = 200) -> list[str]:
        """Return the command that prints a pod's log; `supervisor` stands for the cluster's events."""
        if unit == "supervisor":
            return self.kubectl.words("get", "events", "--sort-by=.lastTimestamp")
        what = f"job/{unit}" if unit in topology.TASKS else f"--selector={selector(unit)}"
        return self.kubectl.words(
            "logs", what, "--container", CONTAINER, f"--tail={lines}", *(["-f"] if follow else [])
        )

    def marked_command(self, unit: str, lines: int) -> list[str]:
        """Return the command that prints the unit's log, which contains the reports."""
        return self.log_command(unit, False, lines)

    def tool_command(self, tool: str, *arguments: str) -> list[str]:
        """Return a command that runs the tool in a pod of its own, with the files of the unit feed."""
        exec_ = self.kubectl.words("exec", f"deployment/{TOOL}", "--container", CONTAINER, "--")
        return [*exec_, "python", "-m", "civildiy", tool, *arguments]
