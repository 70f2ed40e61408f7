"""The interface of a backend, which runs the system as processes, as containers, or sees it from a container.

It consists of three small protocols. Other code uses the smallest one that it needs, so a new backend can
begin with the life cycle and the addresses. A fault that a backend cannot inject raises LabError with the
reason. Every backend must pass tests/live/test_backend_contract.py.
"""

from typing import Protocol

from lab.backends.addresses import Addresses
from lab.backends.faults import Faults
from lab.backends.lifecycle import Lifecycle, Unit

__all__ = ["Addresses", "Backend", "Faults", "Lifecycle", "Unit"]


class Backend(Lifecycle, Faults, Addresses, Protocol):
    """Everything that ./lab, the checks and the tests need from a backend."""
