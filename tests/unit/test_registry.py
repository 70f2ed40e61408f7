"""An instance stays registered, whatever Consul answers."""

from threading import Event
from typing import cast

from civildiy.chassis.discovery.registry import Instance, Registry, stay_registered

INSTANCE = Instance("posts", "posts-1", "127.0.0.1", 5000)


class Confused:
    """A registry whose agent first gives an unexpected answer."""

    def __init__(self, left: Event) -> None:
        self.looks, self.left = 0, left
        self.registered: list[Instance] = []

    def knows(self, instance: Instance) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise KeyError("Address")
        return False

    def register(self, instance: Instance) -> None:
        self.registered.append(instance)
        if len(self.registered) == 2:
            self.left.set()


def test_no_answer_of_consul_ends_the_loop() -> None:
    left = Event()
    registry = Confused(left)
    errors: list[Exception] = []
    stay_registered(
        cast(Registry, registry), INSTANCE, left,
        every=0.01, on_look=lambda: None, on_missing=lambda: None, on_error=errors.append,
    )  # fmt: skip
    assert [type(error) for error in errors] == [KeyError]
    assert registry.registered == [INSTANCE, INSTANCE]
