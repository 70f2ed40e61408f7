"""The use of pymongo's pool, counted by what the pool reports."""

from typing import Any

from civildiy.chassis.observability.stores.mongodb_pool import CONNECTIONS, WAIT, PoolUse

EVENT: Any = None
"""The counts do not depend on which connection an event is about."""


def counted() -> tuple[float, float, float]:
    used, idle = (CONNECTIONS.labels(state)._value.get() for state in ("used", "idle"))
    return used, idle, WAIT._value.get()


def test_a_connection_is_idle_or_used_and_then_gone() -> None:
    pool = PoolUse()
    pool.connection_check_out_started(EVENT)
    pool.connection_created(EVENT)
    assert counted() == (0, 1, 1)
    pool.connection_checked_out(EVENT)
    assert counted() == (1, 0, 0)
    pool.connection_checked_in(EVENT)
    assert counted() == (0, 1, 0)
    pool.connection_closed(EVENT)
    assert counted() == (0, 0, 0)


def test_a_request_that_gets_no_connection_does_not_wait_for_ever() -> None:
    pool = PoolUse()
    pool.connection_check_out_started(EVENT)
    pool.connection_check_out_failed(EVENT)
    assert counted() == (0, 0, 0)
