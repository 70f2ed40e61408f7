"""Roles and databases in PostgreSQL: one of each per service, which no other service can open."""

from collections.abc import Mapping
from typing import LiteralString

from psycopg import sql
from psycopg.conninfo import make_conninfo

from civildiy.chassis.clients import postgres

RULES: tuple[LiteralString, ...] = (
    "ALTER DATABASE {0} ALLOW_CONNECTIONS true CONNECTION LIMIT -1",
    "ALTER DATABASE {0} OWNER TO {0}",
    "GRANT ALL ON DATABASE {0} TO {0}",
    "REVOKE ALL ON DATABASE {0} FROM PUBLIC",  # by default every role may connect to a new database
)
"""What holds for a database, and what `./lab up` sets again when somebody has changed it."""


class Connection(postgres.Connection):
    """A connection with more patience: creating a database copies another one, which takes some time."""

    silence_seconds = 20.0


async def ensure_databases(connection_info: str, passwords: Mapping[str, str]) -> None:
    """Create the role and the database of each service, or set the password and the rules of existing ones.

    `passwords` has one for each service; `connection_info` is the superuser's. Raises psycopg.Error, also
    when the server is silent.
    """
    async with await Connection.connect(connection_info, autocommit=True) as connection:
        for service, secret in passwords.items():
            name = sql.Identifier(service)
            known = await _one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", service)
            verb = sql.SQL("ALTER" if known else "CREATE")
            password = sql.Literal(secret)
            role = sql.SQL("{} ROLE {} LOGIN CONNECTION LIMIT -1 PASSWORD {} VALID UNTIL 'infinity'")
            await connection.execute(role.format(verb, name, password))
            if not await _one(connection, "SELECT 1 FROM pg_database WHERE datname = %s", service):
                await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
            for rule in RULES:
                await connection.execute(sql.SQL(rule).format(name))
    for service in passwords:
        await _own_tables(make_conninfo(connection_info, dbname=service), service)


async def _own_tables(connection_info: str, service: str) -> None:
    """Give the tables of a database to its service, which cannot start with tables of another role."""
    foreign = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner <> %s"
    async with await Connection.connect(connection_info, autocommit=True) as connection:
        cursor = await connection.execute(foreign, (service,))
        for (table,) in await cursor.fetchall():
            statement = sql.SQL("ALTER TABLE public.{} OWNER TO {}")
            await connection.execute(statement.format(sql.Identifier(table), sql.Identifier(service)))


async def _one(connection: Connection, question: LiteralString, value: str) -> object:
    cursor = await connection.execute(question, (value,))
    return await cursor.fetchone()
