"""The table of accounts, created twice in one session of PostgreSQL."""

import json
from typing import Any

from grading.learner_process import beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise

PROGRAM = """
import asyncio, json
from psycopg import AsyncConnection
from civildiy.auth.settings import AuthSettings
from civildiy.auth.users import ensure_table
from civildiy.chassis.clients import postgres
from civildiy.chassis.settings import load_settings

NUMBERS = "SELECT indexrelid::regclass::text, indexrelid::int8 FROM pg_index"
INDEXES = NUMBERS + " WHERE indrelid = 'users'::regclass"

async def main():
    settings = load_settings(AuthSettings)
    connection = await AsyncConnection.connect(postgres.connection_info(settings, "check"))
    # Temporary: the table and its indexes end with this session.
    await connection.execute("SET search_path = pg_temp")
    found = []
    for turn in range(2):
        try:
            await ensure_table(connection)
            rows = await (await connection.execute(INDEXES)).fetchall()
            found.append({name.rpartition(".")[2]: number for name, number in sorted(rows)})
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
            break
        if turn == 0:
            await connection.execute(
                "INSERT INTO users (email, username, password_hash) VALUES ('a@example.org', 'a', 'h')"
            )
    left = None
    if isinstance(found[-1], dict):
        (left,) = await (await connection.execute("SELECT count(*) FROM users")).fetchone()
    say(json.dumps({"found": found, "left": left}))

asyncio.run(main())
"""
WANTED = ["users_email", "users_pkey", "users_username"]


@check(points=1)
def test_table_step_by_step(lab: Exercise) -> None:
    """ensure_table can run at each start: a second call changes nothing and loses no account"""
    with beside(lab, "auth", PROGRAM, only=("civildiy.auth.users",)) as module:
        seen: dict[str, Any] = json.loads(module.hear("ensure_table() to run twice", within=20))
    for turn, found in zip(("the first", "the second"), seen["found"], strict=False):
        require(
            [*found] == WANTED,
            f"called ensure_table() in an empty schema, and read the indexes after {turn} call",
            expected=", ".join(WANTED),
            saw=", ".join(found) if isinstance(found, dict) else found,
            means="`ensure_table` runs at each start of auth, so each statement needs IF NOT EXISTS. Without"
            " it the second start fails. Look at `ensure_table` in users.py.",
        )
    before, after = seen["found"]
    again = [name for name in WANTED if before[name] != after[name]]
    require(
        not again,
        "called ensure_table() twice, and compared the indexes after the two calls",
        expected="the same indexes",
        saw=f"built a second time: {', '.join(again)}",
        means="While PostgreSQL builds an index it blocks all writes to the table, and between DROP and"
        " CREATE"
        " two accounts can get one name. CREATE UNIQUE INDEX IF NOT EXISTS keeps an index that exists. Look"
        " at"
        " `ensure_table` in users.py.",
    )
    require(
        seen["left"] == 1,
        "stored an account between two calls of ensure_table()",
        expected="1 account after the second call",
        saw=seen["left"],
        means="A restart of auth must not lose accounts: never DROP the table. Look at"
        " `ensure_table` in users.py.",
    )
