"""Setting up the servers does not wait for ever for one that does not answer."""

import asyncio
import time
from typing import Any

import psycopg
import pytest
from support import ENDPOINTS, backend

from civildiy.provision.postgresql import Connection, ensure_databases


def test_a_silent_postgresql_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = ENDPOINTS["postgresql"].split(":")
    values = backend.variables()
    server: dict[str, Any] = {
        "host": host, "port": port, "user": "postgres", "dbname": "postgres",
        "password": values["POSTGRES_SUPERUSER_PASSWORD"], "connect_timeout": 2,
    }  # fmt: skip
    passwords = {service: values[f"{service.upper()}_DB_PASSWORD"] for service in ("auth", "profile")}
    info = psycopg.conninfo.make_conninfo(**server)
    asyncio.run(ensure_databases(info, passwords))
    monkeypatch.setattr(Connection, "silence_seconds", 0.5)
    with psycopg.connect(info) as holder:
        # A change of a role now gets no answer, as from a paused server.
        holder.execute("LOCK TABLE pg_authid IN EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            asyncio.run(ensure_databases(info, passwords))
        assert time.monotonic() - began < 10
        holder.rollback()
