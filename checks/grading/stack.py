"""The system that is graded: its backend and its addresses."""

from typing import Any, cast

from lab.backends.choice import chosen
from lab.backends.protocol import Backend
from lab.home import Home

ENDING = ("stop_unit", "restart", "signal", "forget", "freeze", "cut_off", "override", "skew_clock")


class Noting:
    """A backend that records which units the running check has stopped, killed or restarted itself."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.disturbed: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._backend, name)
        if name not in ENDING:
            return attribute

        def noting(unit: str, *arguments: Any, **options: Any) -> Any:
            self.disturbed.add(unit)
            return attribute(unit, *arguments, **options)

        return noting


home = Home.from_environment()
noting = Noting(chosen(home))
backend = cast(Backend, noting)
ENDPOINTS = backend.endpoints()
