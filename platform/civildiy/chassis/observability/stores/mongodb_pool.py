"""How much of pymongo's connection pool is in use, by the events that the pool reports to a listener.

The pool has no method that tells it. Source:
https://pymongo.readthedocs.io/en/stable/api/pymongo/monitoring.html#pymongo.monitoring.ConnectionPoolListener
"""

from prometheus_client import Gauge
from pymongo import monitoring as events

from civildiy.chassis.observability.pools import NAME, TEXT, WAITING, WAITING_TEXT

CONNECTIONS = Gauge(NAME, TEXT, ["state"])
WAIT = Gauge(WAITING, WAITING_TEXT)


class PoolUse(events.ConnectionPoolListener):
    """Counts the connections of a client that are in use and idle, and the requests that wait for one."""

    def __init__(self) -> None:
        self._used, self._idle = CONNECTIONS.labels("used"), CONNECTIONS.labels("idle")

    def connection_created(self, event: events.ConnectionCreatedEvent) -> None:
        """Count a new connection as idle."""
        self._idle.inc()

    def connection_closed(self, event: events.ConnectionClosedEvent) -> None:
        """Forget a connection. One that was in use has been checked in before."""
        self._idle.dec()

    def connection_check_out_started(self, event: events.ConnectionCheckOutStartedEvent) -> None:
        """Count a request that asks for a connection."""
        WAIT.inc()

    def connection_check_out_failed(self, event: events.ConnectionCheckOutFailedEvent) -> None:
        """Forget a request that got no connection."""
        WAIT.dec()

    def connection_checked_out(self, event: events.ConnectionCheckedOutEvent) -> None:
        """Count a connection that a request has got."""
        WAIT.dec()
        self._idle.dec()
        self._used.inc()

    def connection_checked_in(self, event: events.ConnectionCheckedInEvent) -> None:
        """Count a connection that a request has given back."""
        self._used.dec()
        self._idle.inc()

    def connection_ready(self, event: events.ConnectionReadyEvent) -> None:
        """Change nothing: the connection is counted since it was created."""

    def pool_created(self, event: events.PoolCreatedEvent) -> None:
        """Change nothing: a new pool has no connections."""

    def pool_ready(self, event: events.PoolReadyEvent) -> None:
        """Change nothing: its connections report themselves."""

    def pool_cleared(self, event: events.PoolClearedEvent) -> None:
        """Change nothing: each connection reports its end."""

    def pool_closed(self, event: events.PoolClosedEvent) -> None:
        """Change nothing: each connection reports its end."""
