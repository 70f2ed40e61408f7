"""A span for each command that redis-py's asyncio client sends."""

from typing import Any

from redis.asyncio import Redis

from civildiy.chassis.observability.spans import store_span


class TracedRedis(Redis):
    """redis-py's client with a span around each command."""

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Send one command, and record it by its name; keys and values stay out of the span."""
        with store_span("redis", str(words[0])):
            return await super().execute_command(*words, **options)  # type: ignore[no-untyped-call]
