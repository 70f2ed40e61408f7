"""Create a class archive, with which Kafka starts in 2 s instead of 3 (the JVM's class data sharing).

It fits one Java version and one set of jars at one path. Another Java ignores the archive, so this
optimisation cannot break a start.
"""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.install.kafka import format_storage, java_options

READY_SECONDS = 180
"""Compilers may use all cores meanwhile: 60 s were not enough on a busy machine."""


def make_class_archive(jars: Path, target: Path, say: Callable[[str], None]) -> None:
    """Run a broker for a moment and let the JVM write an archive of the classes that it used.

    When this Java cannot do that, the folder stays empty, and Kafka starts without an archive.
    """
    try:
        _make(jars, target, say)
    except subprocess.SubprocessError:
        (target / "kafka.jsa").unlink(missing_ok=True)
        say("not possible with this Java; Kafka starts without it")


def _make(jars: Path, target: Path, say: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        port, controller = free_port(), free_port()
        properties = Path(folder) / "server.properties"
        properties.write_text(
            "process.roles=broker,controller\nnode.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
            "controller.listener.names=CONTROLLER\noffsets.topic.replication.factor=1\n"
            f"log.dirs={folder}/data\nlog.cleaner.dedupe.buffer.size=8388608\n"
        )
        say("formatting the storage")
        format_storage(jars, properties)
        archive = f"-XX:ArchiveClassesAtExit={target / 'kafka.jsa'}"
        broker = subprocess.Popen(
            ["java", *java_options(), archive, "-cp", f"{jars}/*", "kafka.Kafka", str(properties)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=folder,
        )  # fmt: skip
        try:
            say("running a broker for a moment")
            deadline = time.monotonic() + READY_SECONDS
            while broker.poll() is None and not _listens(port) and time.monotonic() < deadline:
                time.sleep(0.1)
            broker.send_signal(signal.SIGTERM)
            say("writing the archive")
            broker.wait(READY_SECONDS)
        finally:
            broker.kill()
            broker.wait()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
