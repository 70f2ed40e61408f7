"""One connection to Redis is shared by all requests: no reply reaches a request that did not ask for it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout
from support import ENDPOINTS, backend

from civildiy.chassis.clients.redis import asynchronous

DATABASE = 9
HOST, _, PORT = ENDPOINTS["redis"].rpartition(":")


@asynccontextmanager
async def connected(answer_seconds: float = 5) -> AsyncIterator[Redis]:
    redis = asynchronous(HOST, int(PORT), DATABASE, answer_seconds)
    try:
        yield redis
    finally:
        await redis.aclose()


async def described(redis: Redis) -> dict[str, str]:
    """Return what Redis reports about the client's connection."""
    return {name: str(value) for name, value in (await redis.client_info()).items()}


def test_a_new_connection_uses_the_same_database() -> None:
    async def databases() -> list[str]:
        seen = []
        async with connected() as redis:
            for _ in range(2):
                connection = await described(redis)
                seen.append(connection["db"])
                with suppress(RedisUnreachable):
                    await redis.client_kill_filter(_id=connection["id"], skipme=False)
                    await redis.ping()  # the connection is closed, and this may be the first to notice
        return seen

    assert asyncio.run(databases()) == [str(DATABASE)] * 2


def test_many_requests_share_one_connection() -> None:
    async def ids() -> set[str]:
        async with connected() as redis:
            return {one["id"] for one in await asyncio.gather(*(described(redis) for _ in range(50)))}

    assert len(asyncio.run(ids())) == 1


def test_a_cancelled_request_does_not_get_another_ones_reply() -> None:
    """Some clients disconnect in the middle of a request; all other requests must get their own reply."""

    rng = Random(23)

    async def run() -> tuple[int, int]:
        answered = cancelled = 0
        async with connected() as redis:

            async def ask(number: int) -> None:
                nonlocal answered
                if number % 3:
                    assert await redis.eval_ro("return ARGV[1]", 0, number) == f"{number}".encode()
                else:
                    async with redis.pipeline(transaction=True) as pipeline:
                        pipeline.execute_command("ECHO", f"{number}")
                        pipeline.execute_command("ECHO", f"{number} again")
                        assert await pipeline.execute() == [b"%d" % number, b"%d again" % number]
                answered += 1

            for start in range(0, 6000, 60):
                tasks = [asyncio.create_task(ask(number)) for number in range(start, start + 60)]
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
                for task in rng.sample(tasks, 20):
                    cancelled += task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    assert result is None or isinstance(result, asyncio.CancelledError), result
            assert (await redis.echo("last")) == b"last"
        return answered, cancelled

    answered, cancelled = asyncio.run(run())
    assert answered >= 4000
    assert cancelled > 0


def test_a_command_that_redis_refuses_fails_alone() -> None:
    async def run() -> None:
        async with connected() as redis:
            await redis.set("text", "abc", ex=10)
            wrong, right = await asyncio.gather(
                redis.lpush("text", "x"), redis.get("text"), return_exceptions=True
            )
            assert isinstance(wrong, ResponseError)
            assert right == b"abc"
            async with redis.pipeline(transaction=True) as pipeline:
                pipeline.lpush("text", "x")
                pipeline.get("text")
                refused, read = await pipeline.execute(raise_on_error=False)
            assert isinstance(refused, ResponseError)
            assert read == b"abc"
            with pytest.raises(
                RedisError, match="BLPOP does not work on a connection that all requests share"
            ):
                await redis.blpop(["text"], 1)

    asyncio.run(run())


@pytest.mark.fault
def test_a_paused_redis_is_given_up_in_time_and_used_again() -> None:
    async def run() -> tuple[list[object], float]:
        async with connected(answer_seconds=1) as redis:
            await redis.ping()
            backend.signal("redis", signal.SIGSTOP)
            began = time.monotonic()
            try:
                results = await asyncio.gather(
                    *(redis.echo(f"{number}") for number in range(40)), return_exceptions=True
                )
            finally:
                backend.signal("redis", signal.SIGCONT)
            taken = time.monotonic() - began
            for number in range(40):
                assert await redis.echo(f"{number}") == b"%d" % number  # not a reply from before the pause
        return list(results), taken

    results, taken = asyncio.run(run())
    assert all(isinstance(result, RedisTimeout | RedisUnreachable) for result in results), results
    assert any(isinstance(result, RedisTimeout) for result in results)
    assert taken < 4
