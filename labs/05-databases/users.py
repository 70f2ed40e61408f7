"""Accounts in PostgreSQL, by direct SQL.

Uniqueness is the database's work: two registrations at the same moment both find the name free,
so a look before the insert proves nothing. The insert itself decides.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from civildiy.auth.schemas import User
from civildiy.chassis.errors import Conflict, FieldError

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def ensure_table(connection: AsyncConnection[Any]) -> None:
    """Make the table `users` and the indexes that guard it; doing it twice changes nothing.

    Its columns: id (given by the database), email, username, password_hash, created_at. The indexes
    `users_email` and `users_username` let no two rows differ in letter case only.
    """
    raise NotImplementedError("Lab 05, step 1: write ensure_table")


class Taken(Conflict):
    """Another account has this value already; `field` is 'email' or 'username'."""

    def __init__(self, field: str) -> None:
        message = f"this {field} is taken; choose another or log in"
        super().__init__(f"{field}: {message}", errors=[FieldError(field=field, message=message)])


@dataclass(frozen=True)
class Account:
    """What a login needs."""

    id: int
    password_hash: str


class Users:
    """The table `users`. Raises psycopg.Error when PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, email: str, username: str, password_hash: str) -> User:
        """Make an account. Raises Taken."""
        raise NotImplementedError("Lab 05, step 1: write Users.add")

    async def by_email(self, email: str) -> Account | None:
        """The account with this email, whatever its letter case."""
        raise NotImplementedError("Lab 05, step 1: write Users.by_email")
