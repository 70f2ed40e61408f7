"""redis-py's clients with the settings of this system: asyncio for services, blocking for workers and tools.

docs/decisions/0016-a-multiplexed-connection.md compares the speed of the clients that were tried.
"""

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.retry import Retry

from civildiy.chassis.clients.redis_multiplexer import MultiplexedPool
from civildiy.chassis.observability import telemetry

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0

READ_SECONDS = 2.0
"""A service waits this long for an answer, and as long for a connection."""


def asynchronous(host: str, port: int, database: int = 0, answer_seconds: float = READ_SECONDS) -> AsyncRedis:
    """Return an asyncio client for many simultaneous reads; it connects when it is first used.

    It is redis-py's client. Its pool shares one connection among all commands.
    """
    return _kind().from_pool(MultiplexedPool(host, port, database, answer_seconds))


def _kind() -> type[AsyncRedis]:
    if not telemetry.is_on():
        return AsyncRedis
    from civildiy.chassis.observability.stores.redis import TracedRedis

    return TracedRedis


def blocking(host: str, port: int, database: int = 0, answer_seconds: float = ANSWER_SECONDS) -> Redis:
    """Return a blocking client that reports each failure at once; it connects when it is first used.

    It never repeats a command: a lost answer does not tell whether Redis ran the command, and only the
    caller knows whether running it twice does harm.
    """
    return Redis(
        host=host,
        port=port,
        db=database,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 0),
    )
