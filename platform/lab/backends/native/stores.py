"""What a first start creates before the servers run: folders, PostgreSQL's cluster and Kafka's storage."""

import subprocess
from collections.abc import Mapping

from lab.backends.native import postgresql
from lab.backends.settings import read
from lab.errors import LabError
from lab.home import Home
from lab.install import kafka
from lab.install.servers import ServerPaths
from lab.progress import Progress

LONGEST_LOG = 10_000_000
"""Bytes. A log that is larger is renamed to *.log.1 at the next `up`."""


def prepare(home: Home, paths: ServerPaths, values: Mapping[str, str], progress: Progress) -> None:
    """Create missing folders and data folders, and rename logs that are too long. Raises LabError."""
    for folder in (home.run, home.logs, *(home.data / name for name in ("mongodb", "redis"))):
        folder.mkdir(parents=True, exist_ok=True)
    for log in home.logs.glob("*.log"):
        if log.stat().st_size > LONGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
    try:
        _make_stores(home, paths, values, progress)
    except subprocess.CalledProcessError as error:
        output = "\n".join((error.output or "").strip().splitlines()[-8:])
        raise LabError(
            f"A server's data folder could not be created:\n{output}\nFind the cause: ./lab doctor"
        ) from error


def _make_stores(home: Home, paths: ServerPaths, values: Mapping[str, str], progress: Progress) -> None:
    cluster = postgresql.ensure_cluster(home, paths.postgresql_bin, values["POSTGRES_SUPERUSER_PASSWORD"])
    # No process of this system runs any more, so this file can only be a leftover.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    if not (home.data / "kafka" / "meta.properties").exists():
        progress.say("kafka", "creating its data folder")
        properties = home.run / "server.properties"
        properties.write_text(kafka.properties_from(read("kafka", values)))
        kafka.format_storage(paths.kafka_jars, properties)
