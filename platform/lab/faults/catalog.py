"""All faults in one table: what each one does, how it ends, and what it teaches."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.faults import gateway
from lab.topology import UNITS, units_with

Step = Callable[[Backend, str], None]

SKEW_SECONDS = -900
LAST = 100
"""How many of the newest events are sent again."""


def _nothing(backend: Backend, unit: str) -> None:
    """Heal nothing: the fault is over as soon as it has happened."""


@dataclass(frozen=True)
class Fault:
    """One fault. It can be done to each of `units`; if there is only one, the user need not name it.

    `inject` and `heal` get the backend and the unit; `heal` may be called twice, and when nothing is wrong.
    `pulse`: (seconds on, seconds off); inject and heal then alternate until the end. `once`: the fault is
    over when it has happened, and `heal` cleans up one that was interrupted. `excludes`: faults that cannot
    be active at the same unit. `by`: the unit that must run for it, if that is not the target. `backends`:
    where it is possible. Docker cannot limit a volume in use, and containers share one clock. On Kubernetes
    the network plugin decides whether packets can be dropped.
    """

    name: str
    units: tuple[str, ...]
    does: str
    teaches: str
    inject: Step
    heal: Step = _nothing
    pulse: tuple[float, float] | None = None
    once: bool = False
    excludes: tuple[str, ...] = ()
    by: str = ""
    backends: tuple[str, ...] = ("native", "compose", "kubernetes")

    @property
    def lasts(self) -> bool:
        """Whether the fault stays active until it is healed."""
        return self.heals and not self.once

    @property
    def heals(self) -> bool:
        """Whether there is anything to undo, so that a guardian must watch over it."""
        return self.heal is not _nothing


def _kill(backend: Backend, unit: str) -> None:
    backend.signal(unit, signal.SIGKILL)


def _second(unit: str) -> str:
    return f"{unit}-2"


def _add_second(backend: Backend, unit: str) -> None:
    backend.start_unit(_second(unit))


def _remove_second(backend: Backend, unit: str) -> None:
    if backend.pid_of(_second(unit)) is not None:
        backend.stop_unit(_second(unit))


def _on_topic(name: str, *arguments: int) -> Step:
    """Return a step that calls the function `name` of lab.faults.topic. It raises LabError without Kafka."""

    def step(backend: Backend, _: str) -> None:
        # Imported here because Kafka's client takes 0.3 s to import and most commands do not need it.
        from kafka.errors import KafkaError

        from lab.faults import topic

        address = backend.endpoints()["kafka"]
        topic.must_listen(address)
        try:
            getattr(topic, name)(address, *arguments)
        except KafkaError as error:
            raise LabError(f"Kafka refused the records: {error}. Find the cause: ./lab logs kafka") from error

    return step


def _at(unit: str, act: Callable[[str], None]) -> Step:
    """Return a step that needs only the address of `unit`."""

    def step(backend: Backend, _: str) -> None:
        act(backend.endpoints()[unit])

    return step


FAULTS = (
    Fault("kill", UNITS, "kill the process with SIGKILL; the supervisor starts it again",
          "what a service has accepted must be stored before it answers", _kill),
    Fault("restart", UNITS, "stop it with SIGTERM and start it again",
          "an orderly shutdown causes no failed request", lambda backend, unit: backend.restart(unit)),
    Fault("pause", UNITS, "pause all its processes with SIGSTOP",
          "a paused server looks like a crashed one: callers need a timeout",
          lambda backend, unit: backend.freeze(unit), lambda backend, unit: backend.thaw(unit),
          excludes=("slow",)),
    Fault("slow", UNITS, "delay its work by up to 200 ms each time",
          "requests queue up in front of a slow server: callers need limits",
          lambda backend, unit: backend.freeze(unit), lambda backend, unit: backend.thaw(unit), (0.2, 0.05),
          excludes=("pause",)),
    Fault("cut-off", UNITS, "drop every network packet to and from it",
          "a caller without an answer cannot know whether its request was executed",
          lambda backend, unit: backend.cut_off(unit), lambda backend, unit: backend.reconnect(unit),
          backends=("native", "compose")),
    Fault("full-disk", units_with("full-disk"), "refuse every write that would extend its files",
          "reads still work while writes fail; the projector waits",
          lambda backend, unit: backend.fill_disk(unit), lambda backend, unit: backend.free_disk(unit),
          backends=("native",)),
    Fault("clock-skew", units_with("clock-skew"), f"set its clock {-SKEW_SECONDS // 60} minutes back",
          "a service with a slow clock rejects new tokens as 'not yet valid'",
          lambda backend, unit: backend.skew_clock(unit, SKEW_SECONDS),
          lambda backend, unit: backend.skew_clock(unit, 0), backends=("native",)),
    Fault("duplicate", units_with("duplicate"), f"publish the last {LAST} events again",
          "at-least-once delivery means duplicates: consumers must be idempotent",
          _on_topic("duplicate", LAST)),
    Fault("reorder", units_with("reorder"), f"publish the last {LAST} events again, newest first",
          "the version of an event tells old from new; its time of arrival does not",
          _on_topic("reorder", LAST)),
    Fault("poison", units_with("poison"), "publish records that no consumer can decode",
          "a poison message goes to the dead letter topic and blocks no other event", _on_topic("poison")),
    Fault("amnesia", units_with("amnesia"), "restart it with an empty catalog and empty KV",
          "a service must check its registration periodically and register again",
          lambda backend, unit: backend.forget(unit), lambda backend, unit: backend.start_unit(unit),
          once=True),
    Fault("gateway-restart", units_with("gateway-restart"), "restart the gateway",
          "the gateway keeps no state: it reads its rules from Consul again",
          lambda backend, unit: backend.restart(unit)),
    Fault("wrong-rule", units_with("wrong-rule"), "route /api/posts to feed, by a rule in Consul KV",
          "whose rules the gateway reads decides which service answers",
          _at("consul", gateway.add_wrong_rule), _at("consul", gateway.remove_wrong_rule),
          by="consul"),
    Fault("two-relays", units_with("two-relays"), "start a second relay beside the first",
          "two active relays would mix up the order: a lease lets only one publish",
          _add_second, _remove_second),
    Fault("two-projectors", units_with("two-projectors"), "start a second projector in the consumer group",
          "after a rebalance, the new owner of a partition continues at the view's offset",
          _add_second, _remove_second),
)  # fmt: skip


def impossible(kind: str) -> tuple[str, ...]:
    """Return the names of the faults that a backend of this kind cannot do."""
    return tuple(each.name for each in FAULTS if kind not in each.backends)


def fault(name: str) -> Fault:
    """Return the fault called `name`. Raises LabError."""
    for each in FAULTS:
        if each.name == name:
            return each
    raise LabError(f"There is no fault {name!r}. List all faults: ./lab break --list")


def target(fault_: Fault, unit: str) -> str:
    """Return the unit to break: the named one, or the only possible one. Raises LabError."""
    if not unit and len(fault_.units) == 1:
        return fault_.units[0]
    if unit not in fault_.units:
        units = ", ".join(fault_.units)
        raise LabError(f"Name a unit: ./lab break {fault_.name} UNIT. Possible units: {units}.")
    return unit
