"""The profile service's connections to PostgreSQL."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from civildiy.chassis.clients import postgres
from civildiy.chassis.clients.sqlalchemy import UNAVAILABLE, engine
from civildiy.chassis.settings import Secret


def test_a_resolver_that_does_not_answer_is_an_error_in_time() -> None:
    """The name of a stopped container is looked up elsewhere, where perhaps nobody answers."""
    settings = cast(
        postgres.PostgresSettings,
        SimpleNamespace(
            postgres_host="postgresql", postgres_port=5432, postgres_database="profile",
            postgres_user="profile", postgres_password=Secret("secret"),
        ),
    )  # fmt: skip

    async def hang(*arguments: Any, **options: Any) -> None:
        await asyncio.sleep(60)

    async def connect() -> None:
        asyncio.get_running_loop().getaddrinfo = hang  # type: ignore[method-assign,assignment]
        with pytest.raises(UNAVAILABLE):
            await engine(settings, "profile").connect()

    began = time.monotonic()
    asyncio.run(connect())
    assert time.monotonic() - began < 2 * postgres.CONNECT_SECONDS
