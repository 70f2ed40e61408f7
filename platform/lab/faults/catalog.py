"""All faults in one table: what each does, how it ends, and what one learns from it."""

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
"""Events that are sent once more."""


def _nothing(backend: Backend, unit: str) -> None:
    """A fault that is over as soon as it has happened."""


@dataclass(frozen=True)
class Fault:
    """One fault. `units` are those it can be done to; one alone is the default.

    `inject` and `heal` get the backend and the unit; `heal` may be called twice, and when nothing is wrong.
    `pulse`: (seconds on, seconds off); inject and heal then alternate until the end. `once`: it is over when
    it has happened, and `heal` is for one that was cut short. `excludes`: what cannot be on at the same unit
    meanwhile. `by`: who has to run for it, when that is not the unit. `backends` can do it: with an engine
    volumes have no limit that could be set in use, and containers share one clock.
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
    backends: tuple[str, ...] = ("native", "compose")

    @property
    def lasts(self) -> bool:
        """Whether it goes on until it is healed."""
        return self.heals and not self.once

    @property
    def heals(self) -> bool:
        """Whether there is anything to end, so that a guardian has to watch over it."""
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


def _on_topic(name: str) -> Step:
    """A step of lab.faults.topic. Raises LabError when Kafka does not answer."""

    def step(backend: Backend, _: str) -> None:
        # Here, because Kafka's client takes a third of a second to import and most commands need none.
        from kafka.errors import KafkaError

        from lab.faults import topic

        address = backend.endpoints()["kafka"]
        topic.must_listen(address)
        try:
            getattr(topic, name)(address)
        except KafkaError as error:
            raise LabError(f"Kafka does not take this: {error}. Look: ./lab logs kafka") from error

    return step


def _at(unit: str, act: Callable[[str], None]) -> Step:
    """A step that needs only the address of `unit`."""

    def step(backend: Backend, _: str) -> None:
        act(backend.endpoints()[unit])

    return step


FAULTS = (
    Fault("kill", UNITS, "kill -9; the supervisor starts it again",
          "nothing that was accepted may live in memory only", _kill),
    Fault("restart", UNITS, "stop it in order and start it again",
          "leaving in order costs nobody an error", lambda backend, unit: backend.restart(unit)),
    Fault("pause", UNITS, "freeze all its processes",
          "silence is not death: only a deadline tells them apart",
          lambda backend, unit: backend.freeze(unit), lambda backend, unit: backend.thaw(unit),
          excludes=("slow",)),
    Fault("slow", UNITS, "add up to 200 ms to what it does",
          "queues grow in front of what is slow; callers need limits",
          lambda backend, unit: backend.freeze(unit), lambda backend, unit: backend.thaw(unit), (0.2, 0.05),
          excludes=("pause",)),
    Fault("cut-off", UNITS, "drop every packet to it and from it",
          "the caller cannot know whether its request was carried out",
          lambda backend, unit: backend.cut_off(unit), lambda backend, unit: backend.reconnect(unit)),
    Fault("full-disk", units_with("full-disk"), "refuse what it appends to its files",
          "reads go on while writes are refused; the projector waits",
          lambda backend, unit: backend.fill_disk(unit), lambda backend, unit: backend.free_disk(unit),
          backends=("native",)),
    Fault("clock-skew", units_with("clock-skew"), f"set its clock {-SKEW_SECONDS // 60} minutes back",
          "a token of a true clock is 'not yet valid' for a wrong one",
          lambda backend, unit: backend.skew_clock(unit, SKEW_SECONDS),
          lambda backend, unit: backend.skew_clock(unit, 0), backends=("native",)),
    Fault("duplicate", units_with("duplicate"), f"send the last {LAST} events once more",
          "at least once means sometimes twice: consumers are idempotent", _on_topic("duplicate")),
    Fault("reorder", units_with("reorder"), f"send the last {LAST} events once more, newest first",
          "a version tells old from new, the time of arrival does not", _on_topic("reorder")),
    Fault("poison", units_with("poison"), "put records on the topic that nobody can read",
          "one bad event goes to the dead letters and holds up nobody", _on_topic("poison")),
    Fault("amnesia", units_with("amnesia"), "restart it without its data: no catalog, no rules",
          "who registers once is lost; who keeps looking comes back",
          lambda backend, unit: backend.forget(unit), lambda backend, unit: backend.start_unit(unit),
          once=True),
    Fault("gateway-restart", units_with("gateway-restart"), "restart the gateway",
          "its rules are stored elsewhere, so it comes back as it was",
          lambda backend, unit: backend.restart(unit)),
    Fault("wrong-rule", units_with("wrong-rule"), "send requests for posts to feed, by a rule in KV",
          "whoever writes the rules decides who answers",
          _at("consul", gateway.add_wrong_rule), _at("consul", gateway.remove_wrong_rule),
          by="consul"),
    Fault("two-relays", units_with("two-relays"), "start a second relay beside the first",
          "two relays would break the order: a lease lets one work", _add_second, _remove_second),
    Fault("two-projectors", units_with("two-projectors"), "start a second projector: the group rebalances",
          "who gets a partition goes on where the view ends", _add_second, _remove_second),
)  # fmt: skip


def impossible(kind: str) -> tuple[str, ...]:
    """Names of the faults that the backend of this kind cannot do."""
    return tuple(found.name for found in FAULTS if kind not in found.backends)


def fault(name: str) -> Fault:
    """The fault called `name`. Raises LabError."""
    for found in FAULTS:
        if found.name == name:
            return found
    raise LabError(f"There is no fault {name!r}. All of them: ./lab break --list")


def target(found: Fault, unit: str) -> str:
    """The unit that is meant: the given one, or the only one there is. Raises LabError."""
    if not unit and len(found.units) == 1:
        return found.units[0]
    if unit not in found.units:
        units = ", ".join(found.units)
        raise LabError(f"Say which unit: ./lab break {found.name} UNIT. Units: {units}.")
    return unit
