"""A backend runs the system somewhere: as processes, as containers, or seen from inside a container.

It is three small protocols in one. Code above takes the smallest that it needs, so a new backend can begin
with the life cycle and the addresses; a fault that it cannot do raises LabError with the reason.
tests/live/test_backend_contract.py is what every backend has to pass.
"""

from typing import Protocol

from lab.backends.addresses import Addresses
from lab.backends.faults import Faults
from lab.backends.lifecycle import Lifecycle, Unit

__all__ = ["Addresses", "Backend", "Faults", "Lifecycle", "Unit"]


class Backend(Lifecycle, Faults, Addresses, Protocol):
    """All that ./lab, the checks and the tests ask of a backend."""
