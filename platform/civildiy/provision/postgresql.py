"""Roles and databases in PostgreSQL: one of each per service, closed to the other."""

import psycopg
from psycopg import sql

SERVICES = ("auth", "profile")


def ensure_databases(connection_info: str, passwords: dict[str, str]) -> None:
    """Create role and database of each service, or set the role's password anew.

    `connection_info` is the superuser's. Raises psycopg.Error.
    """
    with psycopg.connect(connection_info, autocommit=True, connect_timeout=2) as connection:
        for service in SERVICES:
            name = sql.Identifier(service)
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (service,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            password = sql.Literal(passwords[service])
            connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, name, password))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (service,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
            # Everybody may connect to a new database unless told otherwise.
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
