"""Accounts in a table of one session: what `add` and `by_email` return, and what is stored."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab05_databases.awake import ASLEEP, stayed_awake

PROGRAM = (
    ASLEEP
    + """
import json
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from civildiy.auth.settings import AuthSettings
from civildiy.auth.users import Taken, Users, ensure_table
from civildiy.chassis.clients import postgres
from civildiy.chassis.settings import load_settings

STORED = "SELECT id, email, username, password_hash FROM users ORDER BY id"

async def temporary(connection):
    # The table is a temporary one: it ends with the only connection.
    await connection.execute("SET search_path = pg_temp")
    await connection.commit()

async def tried(call):
    try:
        found = await call
    except Taken as taken:
        return "Taken: " + str(taken).partition(":")[0]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:150]
    if found is None:
        return None
    names = [name for name in ("id", "email", "username", "password_hash") if hasattr(found, name)]
    return {name: getattr(found, name) for name in names}

async def cancelled(call):
    # A client that closes its connection while the statement runs, and the next request.
    task = asyncio.create_task(call())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return await tried(call())

async def renamed(pool, old, new):
    async with pool.connection() as connection:
        await connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

async def errors(pool, users, found):
    await renamed(pool, "users", "hidden")
    found["no table"] = {
        "add": [await tried(users.add("c@example.org", "c", "hash")) for _ in range(2)],
        "by_email": [await tried(users.by_email("bob@example.org")) for _ in range(2)],
    }
    try:
        await renamed(pool, "hidden", "users")
    except PoolTimeout:
        return
    found["cancelled"] = {
        "add": await cancelled(lambda: users.add("d@example.org", "d", "hash")),
        "by_email": await cancelled(lambda: users.by_email("bob@example.org")),
    }

async def main():
    info = postgres.connection_info(load_settings(AuthSettings), "check")
    pool = AsyncConnectionPool(info, min_size=1, max_size=1, timeout=3, open=False, configure=temporary)
    async with pool:
        async with pool.connection() as connection:
            await ensure_table(connection)
        users = Users(pool)
        found = {
            "first": await tried(users.add("Ada@Example.org", "Ada", "hash 1")),
            "taken email": await tried(users.add("aDA@example.ORG", "email", "hash 2")),
            "taken username": await tried(users.add("username@example.org", "ADA", "hash 3")),
            "both taken": await tried(users.add("ada@example.org", "ada", "hash 4")),
            "second": await tried(users.add("bob@example.org", "bob", "hash 5")),
            "Ada": await tried(users.by_email("aDA@EXAMPLE.org")),
            "Bob": await tried(users.by_email("bob@example.org")),
            "nobody": await tried(users.by_email("nobody@example.org")),
            "nothing": await tried(users.by_email("")),
        }
        try:
            async with pool.connection() as connection:
                rows = await connection.execute(STORED)
                found["stored"] = [list(row) for row in await rows.fetchall()]
        except PoolTimeout as error:
            found["stored"] = f"PoolTimeout: {error}"
        found |= {"no table": {}, "cancelled": {}}
        if isinstance(found["stored"], list):  # the connection is there
            await errors(pool, users, found)
        found["asleep"] = asleep
    say(json.dumps(found))

asyncio.run(main())
"""
)
ADD, BY_EMAIL = "Look at `Users.add` in users.py.", "Look at `Users.by_email` in users.py."
WHERE = {"add": ADD, "by_email": BY_EMAIL}
TWO = "stored Ada@Example.org ('Ada') and bob@example.org ('bob') with Users.add()"


@check(points=2)
def test_accounts_step_by_step(lab: Exercise) -> None:
    """An account is stored and returned as it was sent, found in any letter case, and taken only once"""
    with beside(lab, "auth", PROGRAM, only=("civildiy.auth.users",)) as module:
        seen: dict[str, Any] = json.loads(module.hear("add() and by_email() to be called", within=20))
    waited = [case for case, outcome in seen.items() if str(outcome).startswith("PoolTimeout")]
    require(
        not waited,
        "called Users.add() five times and Users.by_email() four times, one after the other, with a pool of"
        " one connection",
        expected="a connection for each call",
        saw=f"none for: {', '.join(waited)}",
        means="An earlier call kept the connection. In the system the pool has eight, and after eight such"
        " calls all requests get 503. `async with self._pool.connection()` gives the connection back, also"
        f" after an exception such as Taken. {ADD}",
    )
    first, second = seen["first"], seen["second"]
    for account, email, username in ((first, "Ada@Example.org", "Ada"), (second, "bob@example.org", "bob")):
        shown = {name: account.get(name) for name in ("email", "username")} if _is(account) else account
        require(
            shown == {"email": email, "username": username},
            f"stored an account with Users.add({email!r}, {username!r}, …)",
            expected=f"a User with the email {email} and the username {username}",
            saw=shown,
            means="The account is shown to its owner as it was written; letter case counts in no comparison,"
            f" but it stays. `RETURNING id, email, username` gives what the table holds. {ADD}",
        )
    rows = [
        [first["id"], "Ada@Example.org", "Ada", "hash 1"],
        [second["id"], "bob@example.org", "bob", "hash 5"],
    ]
    require(
        seen["stored"] == rows,
        f"{TWO}, and read the table",
        expected=rows,
        saw=seen["stored"],
        means="Each value belongs into its own column as it was sent, and the returned id is that of the"
        f" row. {ADD}",
    )
    for case, wanted in (
        ("taken email", ["Taken: email"]), ("taken username", ["Taken: username"]),
        ("both taken", ["Taken: email", "Taken: username"]),
    ):  # fmt: skip
        require(
            seen[case] in wanted,
            f"called Users.add() with a {case}, in another letter case".replace("a both", "both values"),
            expected=" or ".join(wanted),
            saw=seen[case],
            means="PostgreSQL refuses the row with UniqueViolation, whose `diag.constraint_name` is the name"
            f" of the index that refused. {ADD}",
        )
    for case, email, account in (
        ("Ada", "aDA@EXAMPLE.org", {"id": first["id"], "password_hash": "hash 1"}),
        ("Bob", "bob@example.org", {"id": second["id"], "password_hash": "hash 5"}),
        ("nobody", "nobody@example.org", None),
        ("nothing", "", None),
    ):
        require(
            seen[case] == account,
            f"{TWO}, and called Users.by_email({email!r})",
            expected=f"an Account {account}" if account else "None",
            saw=seen[case],
            means="by_email returns id and password hash of the one account with this whole address, in any"
            f" letter case, or None. {BY_EMAIL}",
        )
    _errors_pass(seen)
    stayed_awake(seen["asleep"], f"{TWO}, had three others refused", "`Users.add` in users.py")


def _errors_pass(seen: dict[str, Any]) -> None:
    """An error of PostgreSQL reaches the caller, and the connection goes back to the pool."""
    for name, answers in seen["no table"].items():
        did = f"called Users.{name}() twice, with a pool of one connection, while the table did not exist"
        told = [str(answer).partition(":")[0] for answer in answers]
        kept = "PoolTimeout" in told
        require(
            all(isinstance(answer, str) for answer in answers) and not kept and "Taken" not in told,
            did,
            expected="the error of PostgreSQL, UndefinedTable, both times",
            saw=" and then ".join(told),
            means="The call with the error has kept its connection, and the next one waits for it until"
            " PoolTimeout. The pool of auth has eight: after eight such errors all logins and registrations"
            " get 503, until auth is restarted. `async with self._pool.connection()` gives the connection"
            f" back after every error. {WHERE[name]}"
            if kept
            else "Only UniqueViolation means that a value is taken, and only an empty answer means that there"
            f" is no such account. Let all other errors pass: they become 503. {WHERE[name]}",
        )
    for name, answer in seen["cancelled"].items():
        require(
            not str(answer).startswith("PoolTimeout"),
            f"cancelled a call of Users.{name}(), with a pool of one connection, as it happens when a client"
            " closes its connection, and called it again",
            expected="a connection for the next call",
            saw=answer,
            means="The cancelled call has kept its connection. CancelledError is no Exception, so `except"
            " Exception` does not see it; `async with self._pool.connection()` gives the connection back in"
            f" every case. {WHERE[name]}",
        )


def _is(account: object) -> bool:
    return isinstance(account, dict) and "id" in account
