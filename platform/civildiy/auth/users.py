"""Accounts in PostgreSQL, by direct SQL.

The database decides what is unique. Two registrations at the same moment would both find the name free,
so a query before the insert proves nothing. The insert itself decides.
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

TABLE = """
CREATE TABLE IF NOT EXISTS users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL,
    username      text NOT NULL,
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
)
"""


async def ensure_table(connection: AsyncConnection[Any]) -> None:
    """Create the table `users` and its two unique indexes if they are missing; a second call changes nothing.

    Example: after an account "ada@example.org", an INSERT of "Ada@Example.org" raises UniqueViolation.

    TABLE is the statement for the table. The unique indexes are `users_email` on `lower(email)` and
    `users_username` on `lower(username)`: no two rows may differ in letter case only. Use `await
    connection.execute(statement)` for each statement; the caller commits.
    """
    await connection.execute(TABLE)
    await connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (lower(email))")
    await connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS users_username ON users (lower(username))")


class Taken(Conflict):
    """Another account has this email or username; `field` is 'email' or 'username'."""

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
        """Insert an account and return it, with the id that the database gave. Raises Taken.

        Example: `await add("ada@example.org", "ada", "$argon2id$…")` returns `User(id=7,
        email="ada@example.org", username="ada")`; the same call again raises `Taken("email")`.

        `async with self._pool.connection() as connection` borrows a connection. The block ends with a
        commit; after an exception it undoes everything. `connection.cursor(row_factory=class_row(User))`
        makes a cursor whose rows are `User(id, email, username)`. `await cursor.execute(statement, values)`
        runs `INSERT … RETURNING id, email, username` with `%s` for each value of the tuple `values`, and
        `await cursor.fetchall()` returns a list with the one row. psycopg raises UniqueViolation for a value
        that exists; its `diag.constraint_name` is the name of the index, such as "users_email".
        """
        statement = (
            "INSERT INTO users (email, username, password_hash) VALUES (%s, %s, %s)"
            " RETURNING id, email, username"
        )
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(User))
            try:
                await cursor.execute(statement, (email, username, password_hash))
            except UniqueViolation as violation:
                is_email = violation.diag.constraint_name == "users_email"
                raise Taken("email" if is_email else "username") from violation
            [user] = await cursor.fetchall()
        return user

    async def by_email(self, email: str) -> Account | None:
        """Return the account with this email in any letter case, or None.

        Example: `await by_email("ADA@example.org")` is `Account(id=7, password_hash="$argon2id$…")`.

        Compare the whole address: `lower(email) = lower(%s)`, which uses the index. Rows of a cursor with
        `row_factory=class_row(Account)` are `Account(id, password_hash)`; `fetchone()` is None without a row.
        """
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Account))
            statement = "SELECT id, password_hash FROM users WHERE lower(email) = lower(%s)"
            await cursor.execute(statement, (email,))
            return await cursor.fetchone()
