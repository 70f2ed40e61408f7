"""Check MongoDB's replica set, and PostgreSQL's roles and databases."""

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from pymongo import MongoClient

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.finding import SECONDS, Finding, Findings
from lab.text import shortened
from lab.topology import DATABASES, database_password

TABLES = {"auth": ("users", "signing_keys"), "profile": ("user_profiles",)}
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
ALLOWED = "SELECT bool_and(has_table_privilege(%s::oid, named)) FROM unnest(%s::text[]) AS named"
SET = "rs0"
SET_UP_AGAIN = "./lab up sets it up again"


def look_at_mongodb(backend: Backend) -> Findings:
    """Yield whether the replica set is initiated and has a primary. Raises PyMongoError."""
    host, _, port = backend.endpoints()["mongodb"].rpartition(":")
    patience = int(1000 * SECONDS * slow())
    client: MongoClient[dict[str, Any]] = MongoClient(
        host, int(port), directConnection=True, serverSelectionTimeoutMS=patience, timeoutMS=patience
    )
    with client:
        hello = client.admin.command("hello")
        if hello.get("setName") != SET:
            seen = f"the replica set {SET} is not initiated, so transactions and change streams fail"
            yield Finding("MongoDB", seen, SET_UP_AGAIN, again=True)
            return
        if not hello.get("isWritablePrimary"):
            seen = f"the replica set {SET} has no primary, so nothing can be written"
            yield Finding("MongoDB", seen, SET_UP_AGAIN + "; if it stays: ./lab logs mongodb", again=True)
            return
        wrong = [*judge_collection(*_collection(client))]
        yield from wrong or [Finding("MongoDB", f"primary of the replica set {SET}")]


def _collection(client: MongoClient[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the options and the indexes of the collection of posts; ({}, []) when it is missing."""
    posts = client["posts"]
    for found in posts.list_collections(filter={"name": "posts"}):
        return dict(found.get("options", {})), [dict(index) for index in posts["posts"].list_indexes()]
    return {}, []


def judge_collection(options: Mapping[str, Any], indexes: Iterable[Mapping[str, Any]]) -> Findings:
    """Yield what the collection of posts lacks. The service posts sets it up each time it starts."""
    remedy = "./lab restart posts sets it up again"
    if not options.get("changeStreamPreAndPostImages", {}).get("enabled"):
        seen = "the collection of posts keeps no state of removed posts, so an expired post stays in the feed"
        yield Finding("MongoDB", seen, remedy)
    if not any("expires_at" in index["key"] and "expireAfterSeconds" in index for index in indexes):
        seen = "the collection of posts has no TTL index on expires_at, so posts do not expire"
        yield Finding("MongoDB", seen, remedy)


def look_at_postgresql(backend: Backend) -> Findings:
    """Yield whether each service can log in to its own database. Raises psycopg.Error without an answer."""
    host, _, port = backend.endpoints()["postgresql"].rpartition(":")
    passwords = backend.variables()
    for service in DATABASES:
        info = make_conninfo(
            host=host, port=port, user=service, dbname=service,
            connect_timeout=max(2, round(SECONDS * slow())),
            password=passwords.get(database_password(service), ""),
        )  # fmt: skip
        try:
            with psycopg.connect(info) as connection:
                wrong = [*_tables(connection, service)]
        except psycopg.OperationalError as error:
            if "FATAL" not in str(error):
                raise  # PostgreSQL does not answer at all; `examine` reports that once
            reason = shortened(str(error).rpartition("FATAL:")[2].strip(), 120)
            seen = f"{service} cannot log in to its database: {reason}"
            yield Finding("PostgreSQL", seen, SET_UP_AGAIN, again=True)
        else:
            yield from wrong or [Finding("PostgreSQL", f"{service} can log in to its database")]


def _tables(connection: psycopg.Connection[tuple[Any, ...]], service: str) -> Findings:
    """Yield the service's tables that are missing, or that it may not read and change."""
    for table in TABLES.get(service, ()):
        row = connection.execute("SELECT to_regclass(%s)::oid", (f"public.{table}",)).fetchone()
        oid = row[0] if row else None
        if oid is None:
            seen = f"{service} has no table {table}, so its requests fail"
            yield Finding("PostgreSQL", seen, f"./lab restart {service} creates an empty one")
            continue
        allowed = connection.execute(ALLOWED, (oid, [*RIGHTS])).fetchone()
        if allowed != (True,):
            seen = f"{service} may not read and change its table {table}"
            yield Finding("PostgreSQL", seen, SET_UP_AGAIN, again=True)
