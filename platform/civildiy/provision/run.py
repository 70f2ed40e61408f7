"""Set up all three servers in parallel, each as soon as it answers: `python -m civildiy provision`."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
from kafka.errors import KafkaError
from psycopg.conninfo import make_conninfo
from pymongo.errors import PyMongoError

from civildiy.chassis.clients import postgres
from civildiy.chassis.clients.kafka import admin
from civildiy.chassis.observability.logging import LogSettings, configure_logging
from civildiy.chassis.retry import FailureLog
from civildiy.chassis.settings import SHORTEST_SECRET, Secret, SettingsRefused, load_settings
from civildiy.contracts.posts.topics import ensure_topics
from civildiy.provision.mongodb import initiate_replica_set
from civildiy.provision.postgresql import ensure_databases

log = logging.getLogger("civildiy.provision")

ENDING = "_DB_PASSWORD"
NOT_YET = (psycopg.Error, PyMongoError, KafkaError, OSError)


class ProvisionSettings(LogSettings):
    """Addresses, and the superuser's secret."""

    postgres_host: str
    postgres_port: int = 5432
    postgres_superuser_password: Secret
    mongodb_host: str
    mongodb_port: int = 27017
    kafka_bootstrap: str
    partitions: int = 1
    provision_seconds: float = 60.0


def database_passwords(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the password of each service with a database, from the variables `<SERVICE>_DB_PASSWORD`.

    Raises SettingsRefused for one that is too short, and if there is none.
    """
    named = {name: value for name, value in variables.items() if name.endswith(ENDING)}
    short = [name for name, value in sorted(named.items()) if len(value) < SHORTEST_SECRET]
    if short or not named:
        wrong = ", ".join(short) or f"<SERVICE>{ENDING}"
        raise SettingsRefused(f"{wrong}: set at least {SHORTEST_SECRET} characters for each service.")
    return {name.removesuffix(ENDING).lower().replace("_", "-"): value for name, value in named.items()}


def main() -> None:
    """Exit with 0 when all servers are set up, with 1 when one did not answer in time; the log names it."""
    settings = load_settings(ProvisionSettings)
    passwords = database_passwords(os.environ)
    configure_logging(settings, "provision")

    def postgresql() -> None:
        info = make_conninfo(
            host=settings.postgres_host,
            port=settings.postgres_port,
            user="postgres",
            dbname="postgres",
            password=settings.postgres_superuser_password.get_secret_value(),
            connect_timeout=postgres.CONNECT_SECONDS,
        )
        asyncio.run(ensure_databases(info, passwords))

    def mongodb() -> None:
        initiate_replica_set(settings.mongodb_host, settings.mongodb_port)

    def kafka() -> None:
        broker = admin(settings.kafka_bootstrap, bootstrap_timeout_ms=1000)
        try:
            ensure_topics(broker, settings.partitions)
        finally:
            broker.close()

    deadline = time.monotonic() + settings.provision_seconds
    with ThreadPoolExecutor() as threads:
        tasks = [threads.submit(_until, deadline, task) for task in (postgresql, mongodb, kafka)]
        done = [task.result() for task in tasks]
    sys.exit(0 if all(done) else 1)


def _until(deadline: float, task: Callable[[], None]) -> bool:
    """Run `task` until it succeeds; False when the deadline has passed."""
    failures = FailureLog(log, NOT_YET, level=logging.INFO)
    while True:
        try:
            task()
        except NOT_YET as error:
            if time.monotonic() > deadline:
                log.error("%s does not answer, or refuses; gave up: %s", task.__name__, error)
                return False
            failures.failed(f"{task.__name__} is not ready yet", error)
            time.sleep(0.1)
        else:
            log.info("%s is set up", task.__name__)
            return True
