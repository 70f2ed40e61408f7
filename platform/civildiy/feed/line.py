"""A line to Redis: one connection that all requests of the process share.

Questions are sent as they come and answers arrive in the same order, so nobody waits for a connection
and nothing is locked. It does a third of the work of a pool of connections, and on the read path that
work is most of an answer's time; see docs/decisions/0016-a-line-to-redis.md.
"""

import asyncio
from collections import deque
from typing import Any, cast

from hiredis import Reader as ReplyReader
from hiredis import ReplyError, pack_command
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisSilent

Answer = Any
"""What Redis answers: int, bytes, None, or a list of these."""


class Line:
    """Asks one database of Redis; connects when it is first used, and again after the connection was lost."""

    def __init__(self, host: str, port: int, timeout: float, database: int = 0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self.database = database
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, *words: str | bytes | int) -> Answer:
        """The answer to one command, such as ask("LLEN", key).

        Raises RedisError: RedisAway and RedisSilent when Redis cannot be reached or does not answer
        within the timeout, ResponseError when it refuses the command.
        """
        try:
            async with asyncio.timeout(self._timeout):
                connection = self._connection
                if connection is None or connection.lost:
                    connection = await self._connected()
                return await connection.ask(pack_command(words))  # type: ignore[arg-type] # its stub knows one word only
        except TimeoutError as error:
            self.close()  # what comes late must not be taken for the answer to something else
            raise RedisSilent(f"no answer within {self._timeout:g} s") from error

    def close(self) -> None:
        """Hang up; the next question connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connected(self) -> "_Connection":
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                loop = asyncio.get_running_loop()
                try:
                    _, made = await loop.create_connection(_Connection, self._host, self._port)
                except OSError as error:
                    raise RedisAway(f"{self._host}:{self._port}: {error}") from error
                if self.database:
                    # Of each connection anew, and before anybody can ask: a new one is on database 0.
                    await self._select(made)
                self._connection = made
            return self._connection

    async def _select(self, connection: "_Connection") -> None:
        try:
            await connection.ask(pack_command(("SELECT", self.database)))  # type: ignore[arg-type]
        except BaseException:
            connection.close()
            raise


class _Connection(asyncio.Protocol):
    """The questions that wait for their answers, in order."""

    def __init__(self) -> None:
        self.lost = False
        self._waiting: deque[asyncio.Future[Answer]] = deque()
        self._replies = ReplyReader()
        self._transport: asyncio.Transport | None = None

    def ask(self, packed: bytes) -> asyncio.Future[Answer]:
        """Send one command; the future is its answer."""
        if self.lost or self._transport is None:
            raise RedisAway("the connection was lost")
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._transport.write(packed)
        return answer

    def close(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand each complete reply to the question that waits longest."""
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not False:
            answer = self._waiting.popleft()
            if answer.done():  # its asker has left
                continue
            if isinstance(reply, ReplyError):
                answer.set_exception(ResponseError(str(reply)))
            else:
                answer.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody will answer what still waits."""
        self.lost = True
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(RedisAway(f"the connection was lost: {error or 'closed by Redis'}"))
