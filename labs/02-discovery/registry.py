"""Service discovery: tell Consul where this instance is, and ask it where others are.

An instance registers itself with an HTTP check that Consul runs every second, deregisters on
SIGTERM, and registers again when Consul has lost its entry. py-consul is a blocking client: a call
returns only when the answer is there. So the service calls all of this in a thread of its own: in the
thread that serves requests, a waiting call would hold up all of them.

Calls of py-consul raise consul.ConsulException when Consul answers with an error, and
requests.RequestException when it cannot be reached.

Source: https://developer.hashicorp.com/consul/api-docs/agent/service
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

import consul

CHECK_INTERVAL = "1s"
CHECK_TIMEOUT = "2s"
DEREGISTER_AFTER = "1m"
"""Consul removes an entry that has been critical for this long; it accepts one minute or more."""


@dataclass(frozen=True)
class Instance:
    """One running copy of a service, as the catalog knows it."""

    service: str
    id: str
    host: str
    port: int

    @property
    def health_url(self) -> str:
        """The URL that Consul calls; it leads to this very instance, never to the gateway."""
        return f"http://{self.host}:{self.port}/health"


class Registry:
    """The catalog of one Consul agent."""

    def __init__(self, client: consul.Consul) -> None:
        self._client = client

    def register(self, instance: Instance) -> None:
        """Register `instance` with its health check; this replaces an entry with the same id.

        The id is the same after each restart, so a restart leaves one entry, not two. Uses
        `self._client.agent.service.register(name, service_id=…, address=…, port=…, tags=[…],
        check={…})`, which returns True and raises py-consul's errors; let them pass to the caller.

        Example: after `register(Instance("profile", "profile-127.0.0.12", "127.0.0.12", 5000))` the
        catalog has the entry, and Consul calls http://127.0.0.12:5000/health each second.
        """
        raise NotImplementedError("Lab 02, step 1: write Registry.register")

    def deregister(self, instance_id: str) -> None:
        """Remove the entry with this id from the catalog at once.

        Uses `self._client.agent.service.deregister(instance_id)`. For an id that Consul does not know,
        nothing happens. Errors pass to the caller, which logs them.
        Example: `deregister("profile-127.0.0.12")`.
        """
        raise NotImplementedError("Lab 02, step 2: write Registry.deregister")

    def knows(self, instance: Instance) -> bool:
        """Return whether the agent still has the entry, with the same address and port.

        Uses `self._client.agent.services()`: a dict of all entries by id, such as
        `{"profile-127.0.0.12": {"ID": …, "Service": "profile", "Address": "127.0.0.12", "Port": 5000}}`.
        Errors pass to the caller. Example: False for an instance after Consul has lost its data.
        """
        raise NotImplementedError("Lab 02, step 3: write Registry.knows")

    def healthy(self, service: str) -> list[Instance]:
        """Return the instances of `service` whose checks pass, in order of their ids.

        Uses `self._client.health.service(service, passing=True)`: a tuple of the index, which you do
        not need here, and a list of entries. `_instances(entries)` below turns entries into sorted
        Instance objects. Example: `healthy("profile")` is [] while its only instance is critical.
        """
        raise NotImplementedError("Lab 02, step 4: write Registry.healthy")

    def watch(self, service: str, *, wait: str = "30s") -> Iterator[list[Instance]]:
        """Yield the healthy instances now, and again each time that they change.

        Uses blocking queries: `self._client.health.service(service, index=index, wait=wait,
        passing=True)`. With `index=None` Consul answers at once. With the index of the last answer
        (a str of digits) it answers when something has changed, or after `wait` (such as "30s").
        An answer may hold the same instances as before; then yield nothing. An index that is smaller
        than the last one means that Consul has lost its data: make the next call with None. Yield the
        list that came with the smaller index, too, if it differs.
        Errors pass to the caller. Example: `for found in registry.watch("posts"): use(found)`.
        """
        raise NotImplementedError("Lab 02, step 5: write Registry.watch")


def _instances(entries: list[dict[str, dict[str, object]]]) -> list[Instance]:
    instances = [
        Instance(str(s["Service"]), str(s["ID"]), str(s["Address"]), int(str(s["Port"])))
        for s in (entry["Service"] for entry in entries)
    ]
    return sorted(instances, key=lambda instance: instance.id)


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
    """Keep `instance` in the catalog until `left` is set; check it every `every` seconds.

    The chassis calls this in a thread when the service listens, and sets `left` when it stops.
    One turn: if this run has not registered the instance yet, or `registry.knows(instance)` is
    False, call `on_missing()` and then `registry.register(instance)`; a register that raised does
    not count. Then call `on_look()`, in each turn. If any of these calls raises an Exception, skip
    the rest of them and call `on_error(error)`. `left.wait(every)` ends each turn, also after an
    error; it returns early when `left` is set. Example: Consul is restarted without its data;
    within `every` seconds the entry is back.
    """
    raise NotImplementedError("Lab 02, step 3: write stay_registered")
