"""One connection to Redis for all requests of a process, as a connection pool of redis-py.

redis-py lends a whole connection to each command and takes it back after the answer. Redis answers the
commands of a connection in the order in which they arrive, so many commands can share one connection: this
is called **multiplexing**. A service creates `Redis.from_pool(MultiplexedPool(…))` and then uses redis-py
as usual. The measurements that led to this are in docs/decisions/0016-a-multiplexed-connection.md.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from hiredis import Reader, pack_command
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

Answer = asyncio.Future[Any]

BLOCKING_OR_STATEFUL = frozenset(
    {
        *("WATCH", "MULTI", "SELECT", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "WAIT", "WAITAOF"),
        *("BLPOP", "BRPOP", "BLMOVE", "BLMPOP", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP"),
    }
)
"""Commands that make a connection wait, or that change what later commands on it mean."""


class MultiplexedPool(ConnectionPool):
    """A pool with one connection, which all commands share; it connects again after a loss.

    It supports commands and pipelines, with or without a transaction. It refuses commands that block a
    connection or change its state: use a redis-py pool for those.
    """

    def __init__(self, host: str, port: int, database: int, answer_seconds: float) -> None:
        super().__init__(host=host, port=port, db=database, protocol=2)
        self.host, self.port, self.database = host, port, database
        self.answer_seconds = answer_seconds
        self.retry = Retry(NoBackoff(), 0)
        self._socket: _Socket | None = None
        self._connecting = asyncio.Lock()

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """Return what one command needs to be sent and answered. Raises RedisError within the timeout."""
        socket = self._socket
        if socket is None or socket.lost:
            try:
                async with asyncio.timeout(self.answer_seconds):
                    socket = await self._connected()
            except TimeoutError as error:
                raise RedisTimeout(f"no connection within {self.answer_seconds:g} s") from error
        return _Exchange(self, socket)

    async def release(self, connection: Any) -> None:
        """Do nothing: the connection stays in use by other requests."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connection; the next command opens another one."""
        self.close()

    def close(self) -> None:
        """Close the connection at once: commands that still wait raise RedisUnreachable."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _connected(self) -> "_Socket":
        async with self._connecting:
            if self._socket is None or self._socket.lost:
                loop = asyncio.get_running_loop()
                try:
                    _, opened = await loop.create_connection(_Socket, self.host, self.port)
                except OSError as error:
                    raise RedisUnreachable(f"{self.host}:{self.port}: {error}") from error
                try:
                    if self.database:  # before any request can use it: a new connection is on database 0
                        await opened.send([pack_command(("SELECT", str(self.database)))])[0]  # type: ignore[arg-type]
                except BaseException:
                    opened.close()
                    raise
                self._socket = opened
            return self._socket


class _Exchange:
    """One command, or one pipeline, and its answers: the part of a redis-py connection that these need."""

    def __init__(self, pool: MultiplexedPool, socket: "_Socket") -> None:
        self.host, self.port, self.db = pool.host, pool.port, pool.database
        self.retry = pool.retry
        self._pool = pool
        self._socket = socket
        self._answers: Iterator[Answer] = iter(())

    async def send_command(self, *words: Any, **_: Any) -> None:
        name = words[0]
        if " " in name:  # redis-py passes 'CLIENT INFO' as one word
            words = (*name.split(), *words[1:])
        if words[0] in BLOCKING_OR_STATEFUL:
            raise RedisError(
                f"{words[0]} does not work on a connection that all requests share. Use a client with a"
                " connection pool of redis-py."
            )
        self._answers = iter(self._socket.send([pack_command(words)]))

    def pack_commands(self, commands: Iterable[Sequence[Any]]) -> list[bytes]:
        return [pack_command(tuple(words)) for words in commands]

    async def send_packed_command(self, packed: list[bytes], check_health: bool = True) -> None:
        self._answers = iter(self._socket.send(packed))

    async def read_response(self, *_: Any, **__: Any) -> Any:
        try:
            async with asyncio.timeout(self._pool.answer_seconds):
                return await next(self._answers)
        except TimeoutError as error:
            self._socket.close()  # Redis may be paused, and then all commands on this connection would wait
            raise RedisTimeout(f"no answer within {self._pool.answer_seconds:g} s") from error

    async def disconnect(self, *_: Any, **__: Any) -> None:
        """Do nothing when one command fails: other commands still wait on this connection."""


class _Socket(asyncio.Protocol):
    """The TCP connection, and the answers that are awaited on it, in the order of their commands."""

    def __init__(self) -> None:
        self.lost = False
        self._awaited: deque[Answer] = deque()
        self._reader = Reader(protocolError=InvalidResponse, replyError=DefaultParser.parse_error)
        self._transport: asyncio.Transport | None = None

    def send(self, packed: Sequence[bytes]) -> Sequence[Answer]:
        """Send commands in one piece, so that no other command gets between them."""
        if self.lost or self._transport is None:
            raise RedisUnreachable("the connection was lost")
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in packed]
        self._awaited.extend(answers)
        self._transport.write(b"".join(packed))
        return answers

    def close(self) -> None:
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            answer = self._awaited.popleft()
            if answer.done():  # its request was cancelled; the reply must not go to the next one
                continue
            if isinstance(reply, Exception):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        while self._awaited:
            answer = self._awaited.popleft()
            if not answer.done():
                answer.set_exception(
                    RedisUnreachable(f"the connection was lost: {error or 'Redis closed it'}")
                )
                answer.exception()  # a cancelled pipeline does not read its later answers: no warning
