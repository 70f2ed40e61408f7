"""Addresses of the Kubernetes backend: the cluster's own ones, if this machine is its node."""

import socket
from collections.abc import Callable
from functools import cached_property

import psutil

from lab import topology
from lab.backends.kubernetes.kubectl import Kubectl
from lab.backends.kubernetes.pods import Pods
from lab.errors import LabError, NotWithThisEngine
from lab.topology import SECOND, SERVICES, STORES

OUTSIDE_KAFKA = 9094
"""Kafka's listener for programs of this machine: it advertises an address, the other one a name."""
PORTS = {unit: topology.ports()[unit] for unit in (*STORES, *SERVICES)} | {"kafka": OUTSIDE_KAFKA}
WEB = {"gateway": ("traefik", 80), "traefik": ("traefik", 8080), "consul": ("consul", 8500)}
REACH_SECONDS = 1.0


class Addresses:
    """The address of each unit's Service. The cluster keeps them as long as the Services exist."""

    def __init__(self, kubectl: Kubectl, pods: Pods) -> None:
        self._kubectl = kubectl
        self._pods = pods

    @cached_property
    def services(self) -> dict[str, str]:
        """The cluster's address of each Service."""
        items = self._kubectl.found("services").get("items", [])
        return {item["metadata"]["name"]: str(item["spec"].get("clusterIP", "")) for item in items}

    def forget(self) -> None:
        """Ask the cluster again, because Services were created."""
        self.__dict__.pop("services", None)

    def service(self, unit: str) -> str:
        """Return the address of a unit's Service; without one, the name that it will have in the cluster."""
        return self.services.get(unit) or f"{unit}.civildiy.svc"

    def endpoints(self) -> dict[str, str]:
        """Return the address of each unit by name."""
        web = {name: f"http://{self.service(unit)}:{port}" for name, (unit, port) in WEB.items()}
        web["gateway"] = web["gateway"].removesuffix(":80")
        stores = {unit: f"{self.service(unit)}:{PORTS[unit]}" for unit in STORES}
        return web | stores | {unit: f"http://{self.service(unit)}:{PORTS[unit]}" for unit in SERVICES}

    def host(self, unit: str) -> str:
        """Return what Consul's catalog lists for a service, its pod's address; else the Service's name."""
        if unit.removesuffix(SECOND) in SERVICES:
            return self._pods.address(unit) or unit
        return unit

    def reach(self, unit: str) -> str:
        """Return the address of a service, or of the pod of a second instance."""
        return self._pods.address(unit) or unit if unit.endswith(SECOND) else self.service(unit)

    def variables(self) -> dict[str, str]:
        """Return hosts and ports for platform/deployment/settings/*.env, for a program of this machine."""
        # The replica set's member has a name that only pods can resolve.
        values = {"MONGODB_OPTIONS": "directConnection=true"}
        for unit in (*STORES, "consul"):
            port = PORTS.get(unit, WEB["consul"][1])
            values |= {f"HOST_{unit.upper()}": self.service(unit), f"PORT_{unit.upper()}": str(port)}
        return values

    def listen_host(self) -> str:
        """Return the address of this machine from which packets to a pod come. Raises NotWithThisEngine."""
        return self._source(self._pods.address("consul"))

    def neighbour(self) -> tuple[str, str]:
        """Return the gateway's pod, and another address of this machine. Raises LabError."""
        # Not the Service: the node gives all packets to it that come from itself one address.
        pod, own = self._pods.address("traefik"), self.listen_host()
        for addresses in psutil.net_if_addrs().values():
            for address in addresses:
                if (
                    address.family == socket.AF_INET
                    and not address.address.startswith("127.")
                    and address.address != own
                ):
                    return f"http://{pod}:8000", address.address
        raise LabError("This machine has only one address, so no second client can be simulated on it.")

    def _source(self, target: str) -> str:
        if not target or not self.is_node:
            raise NotWithThisEngine(
                "pods cannot send requests to a program on this machine, which is no node of the cluster",
                "with LAB_BACKEND=native: ./lab check NN",
            )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            return str(probe.getsockname()[0])

    @cached_property
    def is_node(self) -> bool:
        """Whether this machine reaches the addresses of the cluster."""
        return bool(self.services) and connects(self.service("consul"), WEB["consul"][1])

    def refuse_unreachable(self, also: Callable[[], bool] = lambda: True) -> None:
        """Raise LabError when this machine reaches no address of the cluster."""
        if also() and not self.is_node:
            raise LabError(
                "The system runs in the cluster, but this machine does not reach the cluster's addresses."
                " Run ./lab on a node of the cluster (as with k3s, or minikube with the driver `none`), or"
                " forward single ports: kubectl --namespace civildiy port-forward service/traefik 8000:80"
            )


def connects(host: str, port: int) -> bool:
    """Return whether something accepts a connection there."""
    try:
        socket.create_connection((host, port), REACH_SECONDS).close()
    except OSError:
        return False
    return True
