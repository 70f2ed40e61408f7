"""The blocking client of Redis, with the settings of this system: for workers and tools only."""

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0


def blocking(host: str, port: int, database: int = 0, answer_seconds: float = ANSWER_SECONDS) -> Redis:
    """A client that says at once what went wrong; it connects when it is first used.

    It never sends a command twice by itself: an answer that was lost does not tell whether the command was
    done, and only the caller knows whether twice does harm.
    """
    return Redis(
        host=host,
        port=port,
        db=database,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 0),
    )
