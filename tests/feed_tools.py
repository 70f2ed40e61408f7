"""Run the feed's tools on the running system, and read its view from Redis."""

from contextlib import closing
from typing import Any

from kafka import TopicPartition
from redis import Redis
from support import ENDPOINTS, Person, backend, client, eventually

from civildiy.chassis.clients.kafka import admin, reader
from lab.probes import tools


def view_redis(database: int = 0) -> Redis:
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    return Redis(host=host, port=int(port), db=database)


def run(tool: str, *arguments: str, code: int | None = 0) -> dict[str, Any]:
    ran = tools.run_tool(backend, tool, arguments)
    assert code is None or ran.code == code, (ran.code, ran.answer, ran.messages)
    return ran.answer


def stats() -> dict[str, Any]:
    with client() as http:
        found: dict[str, Any] = http.get("/api/activity-stream/stats").json()
    return found


def findings(code: int | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("feed-verify", code=code)["findings"]
    return found


def writer(count: int) -> Person:
    person = Person()
    for number in range(count):
        person.post(f"post {number}")
    eventually(lambda: len(person.feed()) == count, within=10, what="the posts in the feed")
    return person


def forget(topic: str) -> None:
    """Delete all records of a topic, so that nothing that comes later reads them."""
    partition = TopicPartition(topic, 0)
    with closing(reader(ENDPOINTS["kafka"])) as consumer:
        end = consumer.end_offsets([partition])[partition]
    with closing(admin(ENDPOINTS["kafka"])) as client:
        client.delete_records({partition: end})
