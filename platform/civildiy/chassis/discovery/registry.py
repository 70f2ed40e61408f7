"""Service discovery: tell Consul where this instance is, and ask it where others are.

An instance registers itself with an HTTP check that Consul runs every second, deregisters on
SIGTERM, and registers again when Consul has forgotten it. py-consul is a blocking client, so all
of this runs in threads, never on the event loop.

Source: https://developer.hashicorp.com/consul/api-docs/agent/service
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

import consul

CHECK_INTERVAL = "1s"
CHECK_TIMEOUT = "2s"
DEREGISTER_AFTER = "1m"
"""Consul removes an instance that stayed critical this long; one minute is its minimum."""


@dataclass(frozen=True)
class Instance:
    """One running copy of a service, as the catalog knows it."""

    service: str
    id: str
    host: str
    port: int

    @property
    def health_url(self) -> str:
        """Asked by Consul; it must lead to this very instance, never to the gateway."""
        return f"http://{self.host}:{self.port}/health"


class Registry:
    """The catalog of one Consul agent."""

    def __init__(self, client: consul.Consul) -> None:
        self._client = client

    def register(self, instance: Instance) -> None:
        """Enter `instance` with its health check. Doing it twice changes nothing.

        The id is the same after each restart, so a killed instance leaves no ghost behind.
        """
        self._client.agent.service.register(
            instance.service,
            service_id=instance.id,
            address=instance.host,
            port=instance.port,
            # Traefik builds a load balancer only for services with this tag.
            tags=["traefik.enable=true"],
            check={
                "Name": f"{instance.service} answers /health",
                "HTTP": instance.health_url,
                "Interval": CHECK_INTERVAL,
                "Timeout": CHECK_TIMEOUT,
                "DeregisterCriticalServiceAfter": DEREGISTER_AFTER,
            },
        )

    def deregister(self, instance_id: str) -> None:
        """Take the instance out of the catalog at once."""
        self._client.agent.service.deregister(instance_id)

    def knows(self, instance: Instance) -> bool:
        """Whether the agent still has this instance, at this address."""
        entry = self._client.agent.services().get(instance.id)
        return entry is not None and (entry["Address"], entry["Port"]) == (
            instance.host,
            instance.port,
        )

    def healthy(self, service: str) -> list[Instance]:
        """The instances of `service` whose checks pass, in order of their ids."""
        _, entries = self._client.health.service(service, passing=True)
        return _instances(entries)

    def watch(self, service: str, *, wait: str = "30s") -> Iterator[list[Instance]]:
        """Yield the healthy instances now, and again each time they change.

        A blocking query: Consul holds the answer back until its index moves, so a change is
        seen at once and costs no polling. The iterator does not end by itself.
        """
        index: str | None = None
        seen: list[Instance] | None = None
        while True:
            new_index, entries = self._client.health.service(service, index=index, wait=wait, passing=True)
            # An index that goes backwards means that Consul started anew: begin again.
            index = None if index is not None and int(new_index) < int(index) else new_index
            found = _instances(entries)
            if found != seen:
                seen = found
                yield found


def _instances(entries: list[dict[str, dict[str, object]]]) -> list[Instance]:
    found = [
        Instance(str(s["Service"]), str(s["ID"]), str(s["Address"]), int(str(s["Port"])))
        for s in (entry["Service"] for entry in entries)
    ]
    return sorted(found, key=lambda instance: instance.id)


def stay_registered(
    registry: Registry,
    instance: Instance,
    left: Event,
    *,
    every: float = 2.0,
    on_look: Callable[[], None],
    on_missing: Callable[[], None],
    on_error: Callable[[Exception], None],
) -> None:
    """Keep `instance` in the catalog until `left` is set; look every `every` seconds.

    Calls `on_look` at each look while Consul answers, `on_missing` before each (new) registration,
    and `on_error` with whatever goes wrong: Consul is away, or its answer makes no sense.
    Nothing is given up: a Consul that lost everything gets the registration back.
    """
    registered = False  # by this process: what a killed one left may have another check
    while not left.is_set():
        try:
            if not (registered and registry.knows(instance)):
                on_missing()
                registry.register(instance)
                registered = True
            on_look()
        except Exception as error:  # an instance whose loop has died is never registered again
            on_error(error)
        left.wait(every)
