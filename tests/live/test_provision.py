"""Setting up the servers repairs what was changed, and does not wait for ever for a silent one."""

import asyncio
import time
from typing import Any, LiteralString

import psycopg
import pytest
from support import ENDPOINTS, backend

from civildiy.provision.postgresql import Connection, ensure_databases
from lab.health import databases
from lab.topology import DATABASES, database_password


@pytest.fixture
def info() -> str:
    host, port = ENDPOINTS["postgresql"].split(":")
    server: dict[str, Any] = {
        "host": host, "port": port, "user": "postgres", "dbname": "postgres",
        "password": backend.variables()["POSTGRES_SUPERUSER_PASSWORD"], "connect_timeout": 2,
    }  # fmt: skip
    return psycopg.conninfo.make_conninfo(**server)


@pytest.fixture
def passwords() -> dict[str, str]:
    values = backend.variables()
    return {service: values[database_password(service)] for service in DATABASES}


@pytest.mark.fault
@pytest.mark.parametrize(
    "change",
    [
        "ALTER ROLE profile PASSWORD 'x'", "ALTER ROLE profile NOLOGIN",
        "ALTER ROLE profile CONNECTION LIMIT 0", "ALTER ROLE profile VALID UNTIL '2020-01-01'",
        "ALTER DATABASE profile ALLOW_CONNECTIONS false",
        "ALTER DATABASE profile CONNECTION LIMIT 0", "REVOKE ALL ON DATABASE profile FROM profile",
    ],
)  # fmt: skip
def test_what_somebody_changed_is_reported_and_set_again(
    info: str, passwords: dict[str, str], change: LiteralString
) -> None:
    """`./lab up` runs this script for each finding about a login."""
    with psycopg.connect(info, autocommit=True) as connection:
        connection.execute(change)
    try:
        wrong = [finding.seen for finding in databases.look_at_postgresql(backend) if finding.remedy]
        assert len(wrong) == 1, wrong
        assert "profile cannot log in" in wrong[0]
    finally:
        asyncio.run(ensure_databases(info, passwords))
    assert not [finding for finding in databases.look_at_postgresql(backend) if finding.remedy]


@pytest.mark.fault
def test_tables_of_another_role_are_reported_and_given_back(info: str, passwords: dict[str, str]) -> None:
    own = psycopg.conninfo.make_conninfo(info, dbname="profile")
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("ALTER TABLE user_profiles OWNER TO postgres")
        connection.execute("REVOKE ALL ON user_profiles FROM profile")
    try:
        (wrong,) = [finding for finding in databases.look_at_postgresql(backend) if finding.remedy]
        assert "profile may not read and change its table user_profiles" in wrong.seen
        assert wrong.again
    finally:
        asyncio.run(ensure_databases(info, passwords))
    assert not [finding for finding in databases.look_at_postgresql(backend) if finding.remedy]


@pytest.mark.fault
def test_a_missing_table_is_reported() -> None:
    """The test gives the table another name for a moment, so that no account is lost."""
    own = psycopg.conninfo.make_conninfo(
        "", host=ENDPOINTS["postgresql"].split(":")[0], port=ENDPOINTS["postgresql"].split(":")[1],
        user="profile", dbname="profile", password=backend.variables()["PROFILE_DB_PASSWORD"],
    )  # fmt: skip
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("ALTER TABLE user_profiles RENAME TO for_a_moment")
        try:
            (wrong,) = [finding for finding in databases.look_at_postgresql(backend) if finding.remedy]
        finally:
            connection.execute("ALTER TABLE for_a_moment RENAME TO user_profiles")
    assert "profile has no table user_profiles" in wrong.seen
    assert wrong.remedy.startswith("./lab restart profile")


def test_a_silent_postgresql_is_given_up_on(
    info: str, passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
