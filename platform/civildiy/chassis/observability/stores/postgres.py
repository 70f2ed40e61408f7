"""A span for each statement that psycopg sends. SQLAlchemy sends its statements through the same cursors."""

from typing import Any

from psycopg import AsyncCursor

from civildiy.chassis.observability.spans import store_span


class TracedCursor(AsyncCursor[Any]):
    """A cursor of psycopg with a span around `execute`."""

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Run one statement, and record it by its first word: its text may be long, its values private."""
        text = query if isinstance(query, str) else ""
        if not text.strip():  # the pool's own question whether a connection still works
            return await super().execute(query, params, **options)
        with store_span("postgresql", text.split(None, 1)[0].upper()):
            return await super().execute(query, params, **options)
