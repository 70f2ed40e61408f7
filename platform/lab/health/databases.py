"""Check MongoDB's replica set, and PostgreSQL's roles and databases."""

import psycopg
from psycopg.conninfo import make_conninfo
from pymongo import MongoClient

from civildiy.provision.postgresql import SERVICES
from lab.backends.protocol import Backend
from lab.health.finding import SECONDS, Finding, Findings
from lab.probes.readiness import slow
from lab.text import shortened

SET = "rs0"
SET_UP_AGAIN = "./lab up sets it up again"


def look_at_mongodb(backend: Backend) -> Findings:
    """Yield whether the replica set is initiated and has a primary. Raises PyMongoError."""
    host, _, port = backend.endpoints()["mongodb"].rpartition(":")
    patience = int(1000 * SECONDS * slow())
    client: MongoClient[dict[str, object]] = MongoClient(
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
        yield Finding("MongoDB", f"primary of the replica set {SET}")


def look_at_postgresql(backend: Backend) -> Findings:
    """Yield whether each service can log in to its own database. Raises psycopg.Error without an answer."""
    host, _, port = backend.endpoints()["postgresql"].rpartition(":")
    passwords = backend.variables()
    for service in SERVICES:
        info = make_conninfo(
            host=host, port=port, user=service, dbname=service,
            connect_timeout=max(2, round(SECONDS * slow())),
            password=passwords.get(f"{service.upper()}_DB_PASSWORD", ""),
        )  # fmt: skip
        try:
            psycopg.connect(info).close()
        except psycopg.OperationalError as error:
            if "FATAL" not in str(error):
                raise  # PostgreSQL does not answer at all; `examine` reports that once
            reason = shortened(str(error).rpartition("FATAL:")[2].strip(), 120)
            seen = f"{service} cannot log in to its database: {reason}"
            yield Finding("PostgreSQL", seen, SET_UP_AGAIN, again=True)
        else:
            yield Finding("PostgreSQL", f"{service} can log in to its database")
