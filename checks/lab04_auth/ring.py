"""KeyRing.load() beside the system, from a table of the check's own in which keys age, come and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grading.databases import postgresql
from grading.learner_process import Beside, beside
from grading.outcome import require
from grading.plugin import check
from grading.reach import environment
from psycopg import sql

from lab.course.exercise import Exercise
from lab04_auth.programs import KEYS, asked

DAY = 86_400.0
POOL = 2
"""Connections of the pool that load() gets."""
NEEDED = (
    "The newest key must sign. `public` must hold every key that a token may still need, so those"
    " that `_rows` returns."
)
GONE = (
    "`load` keeps a key that the table no longer offers: it was withdrawn, or its last token has expired."
    " A person who has"
    " its private half can make tokens as long as it is accepted. Replace `public` with what was read; do"
    " not add to it."
)
EMPTY = (
    "Without rows `load` must change nothing. The first key may not have been made yet, and the keys that are"
    " known are better than none."
)
LEAKS = (
    "`load` is called every two seconds. It must give its connection back each time, also when the query"
    " fails: use `async with pool.connection()`, and replace the keys by those that were read."
)
FAILS = (
    "When PostgreSQL does not answer, `load` must raise psycopg.Error and leave the keys as they are, so"
    " that tokens"
    " are still checked. Change `public` and `_signing` only after everything was read."
)
BY_HALVES = (
    "`load` has changed the keys before all rows were decrypted, and then an error ended it. Read and decrypt"
    " everything first; then set `_signing` and `public`."
)


class Table:
    """A table signing_keys in a schema of its own."""

    def __init__(self, connection: "psycopg.Connection[Any]", schema: str) -> None:
        self._connection, self.schema = connection, schema
        self._passphrase = environment("auth")["SIGNING_KEY_PASSPHRASE"].encode()
        self.do("CREATE SCHEMA {}")
        self.do(
            "CREATE TABLE {}.signing_keys (kid text PRIMARY KEY, private_pem bytea, created_at timestamptz)"
        )

    def do(self, statement: Any, *values: object) -> None:
        """Run a statement; {} stands for the schema."""
        self._connection.execute(sql.SQL(statement).format(sql.Identifier(self.schema)), values)

    def add(self, kid: str, age: float) -> None:
        """A new key, made `age` seconds ago."""
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(self._passphrase),
        )  # fmt: skip
        self.do(
            "INSERT INTO {}.signing_keys VALUES (%s, %s, now() - make_interval(secs => %s))", kid, pem, age
        )

    def age(self, kid: str, seconds: float) -> None:
        """Make a key older."""
        statement = (
            "UPDATE {}.signing_keys SET created_at = created_at - make_interval(secs => %s) WHERE kid = %s"
        )
        self.do(statement, seconds, kid)

    def remove(self, kid: str) -> None:
        """Withdraw a key."""
        self.do("DELETE FROM {}.signing_keys WHERE kid = %s", kid)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the table: a query waits meanwhile."""
        with self._connection.transaction():
            self.do("LOCK TABLE {}.signing_keys IN ACCESS EXCLUSIVE MODE")
            yield

    def drop(self) -> None:
        """Remove the schema with all that is in it."""
        self.do("DROP SCHEMA {} CASCADE")


@check(points=3)
def test_keys_are_those_of_the_table(lab: Exercise, rng: Random) -> None:
    """load() takes exactly the keys that are still needed, and keeps those it has when it cannot read"""
    with postgresql("auth") as connection:
        connection.autocommit = True
        table = Table(connection, f"probe_{rng.getrandbits(40):x}")
        try:
            with beside(lab, "auth", KEYS, table.schema, only=("civildiy.auth.keys",)) as module:
                _look_at_all(table, module)
        finally:
            table.drop()


def _look_at_all(table: Table, module: Beside) -> None:
    table.add("a", 30 * DAY)
    table.add("b", 29 * DAY)
    table.add("c", 10)
    _loaded(
        module, "a made 30 days ago, b 29 days ago, c 10 s ago; tokens live for an hour", "c", "bc", NEEDED
    )
    table.age("c", 20 * DAY)
    table.add("d", 10)
    _loaded(module, "c, made 20 days ago, was replaced by d 10 s ago", "d", "cd", GONE)
    for kid in "abc":
        table.remove(kid)
    _loaded(module, "the keys a, b and c were removed from the table", "d", "d", GONE)
    table.add("e", 5)
    with table.locked():
        signing, public = asked(module, "load() to wait for the table", "load and look meanwhile")
        require(
            (signing, public) == ("d", ["d"]),
            "looked at the key ring while load() waited for PostgreSQL",
            expected="the keys from before: d",
            saw=f"signing {signing}, public {', '.join(public) or 'none'}",
            means="While `load` waits, tokens are checked with `public` as it is now. Read everything"
            " first; then"
            " replace the keys in one assignment.",
        )
    module.hear("load() to return")
    table.remove("e")
    _loaded(module, "the key e was removed from the table", "d", "d", GONE)
    table.remove("d")
    _loaded(module, "the table is empty", "d", "d", EMPTY)
    for kid in "zyxwvutsrq":  # the newest has the last name, and the smallest
        table.add(kid, 10 + ord(kid) - ord("q"))
    _never_between(asked(module, "load() to return", "load and watch"))
    _loaded(module, "ten keys, made a second apart; the newest is q", "q", "qrstuvwxyz", NEEDED)
    for kid in "rstuvwxyz":
        table.remove(kid)
    for _ in range(6):
        _loaded(module, "only the key q is left", "q", "q", LEAKS)
    table.do("ALTER TABLE {}.signing_keys RENAME TO hidden")
    for _ in range(POOL + 1):
        said = asked(module, "load() to return", "load")
        _raised("DatabaseError" in said, said)
    table.do("ALTER TABLE {}.hidden RENAME TO signing_keys")
    _loaded(module, f"the table was there again after load() had failed {POOL + 1} times", "q", "q", FAILS)
    table.add("older", 99)
    table.add("newer", 1)
    for kid in ("older", "newer"):
        table.do("UPDATE {}.signing_keys SET private_pem = 'no key' WHERE kid = %s", kid)
        asked(module, "load() to return or to raise", "load")
        signing, public = asked(module, "the keys of the ring", "look")
        require(
            (signing, public) == ("q", ["q"]),
            f"looked at the key ring after load() met a row that cannot be decrypted, {kid} than the key q",
            expected="the keys from before: q",
            saw=f"signing {signing}, public {', '.join(public) or 'none'}",
            means=BY_HALVES,
        )
        table.remove(kid)
    _loaded(module, "the rows that cannot be decrypted were removed", "q", "q", FAILS)


def _never_between(seen: list[tuple[str, list[str]]]) -> None:
    """What another task could meet while d was replaced by ten keys."""
    states = [(signing, "".join(public)) for signing, public in seen]
    between = [state for state in states if state not in (("d", "d"), ("q", "qrstuvwxyz"))]
    require(
        not between,
        "looked at the key ring at each turn of the event loop while load() replaced the key d by ten others",
        expected="d alone, which signs, or all ten, of which the newest signs",
        saw=[f"{signing} signs, public holds {public or 'nothing'}" for signing, public in between[:1]],
        means="Between two parts of `load` other requests run, and meet keys of which some are missing: good"
        " tokens are refused. Read and decrypt everything first; then set `_signing` and `public` without an"
        " `await` between them.",
    )


def _raised(raised: bool, said: list[Any]) -> None:
    require(
        raised,
        "called load() several times while the table signing_keys could not be read",
        expected="the psycopg.Error of the query to be raised each time",
        saw=f"signing {said[0]}, public {said[1]}" if len(said) == 2 else f"{said[0]} was raised",
        means=LEAKS if said[0] == "PoolTimeout" else FAILS,
    )


def _loaded(module: Beside, what: str, signing: str, public: str, means: str) -> None:
    said = asked(module, "load() to return", "load")
    require(
        said == [signing, list(public)],
        f"called load() beside the system: {what}",
        expected=f"{signing} signs, and public holds {' and '.join(public)}",
        saw=f"{said[0]} signs, public holds {' and '.join(said[1]) or 'nothing'}"
        if len(said) == 2
        else f"{said[0]} was raised",
        means=LEAKS if said[0] == "PoolTimeout" else means,
    )
