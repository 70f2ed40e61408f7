"""Follow one post through the gateway and show what happens at each hop."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
from redis import Redis

from civildiy.contracts.posts.whole_topic import partitions_of
from civildiy.feed import keys
from lab.errors import LabError
from lab.probes import local_http
from lab.text import shortened

PATIENCE = 10.0


def _shown(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _answered(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        raise LabError(
            f"{answer.request.method} {answer.request.url} answered {answer.status_code}: "
            f"{shortened(answer.text, 300)}\nFind the cause: ./lab status, ./lab doctor"
        )
    body: dict[str, Any] = answer.json()
    return body


def story(endpoints: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield a headline and an output for each hop. Raises LabError and those of lab.probes.unavailable."""
    name = f"demo{secrets.token_hex(4)}"
    person = {"email": f"{name}@example.org", "username": name, "password": secrets.token_hex(8)}
    with local_http.client(base_url=endpoints["gateway"], timeout=10) as http:
        made = _answered(http.post("/api/auth/register", json=person), 201)
        yield "POST /api/auth/register → auth → PostgreSQL", _shown(made)
        login = {"email": person["email"], "password": person["password"]}
        token = _answered(http.post("/api/auth/login", json=login), 200)
        short = token | {"access_token": token["access_token"][:24] + "…"}
        yield "POST /api/auth/login → a token signed with Ed25519", _shown(short)
        http.headers["Authorization"] = f"Bearer {token['access_token']}"
        began = time.monotonic()
        text = {"title": "Hello", "content": "A post that goes all the way."}
        post = _answered(http.post("/api/posts", json=text), 201)
        yield "POST /api/posts → Traefik asks auth → posts → MongoDB, with its event", _shown(post)
        entry = _redis_entry(endpoints["redis"], post["id"])
        took = (time.monotonic() - began) * 1000
        yield "the event on Kafka's topic posts-events", _shown(_event(endpoints["kafka"], post["id"]))
        yield f"the entry in Redis ({keys.GLOBAL}), at most {took:.0f} ms after the POST", _shown(entry)
        page = _answered(http.get("/api/activity-stream", params={"limit": 1}), 200)
        yield "GET /api/activity-stream?limit=1 → feed → Redis, the same bytes", _shown(page)


def _redis_entry(address: str, post_id: str) -> dict[str, Any]:
    host, _, port = address.partition(":")
    with Redis(host=host, port=int(port), socket_timeout=5) as redis:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for item in redis.lrange(keys.GLOBAL, 0, 20):
                entry: dict[str, Any] = json.loads(item)
                if entry["post_id"] == post_id:
                    return entry
            time.sleep(0.002)
    raise LabError(
        f"The post was not in Redis after {PATIENCE:.0f} s. Find the cause: ./lab logs feed-projector"
    )


def _event(address: str, post_id: str) -> dict[str, Any]:
    with partitions_of(address) as topics:
        for topic in topics:
            end = topic.end()
            topic.seek(max(topic.first(), end - 100))
            for record in topic.until(end):
                if record.key == post_id.encode():
                    event: dict[str, Any] = json.loads(record.value)
                    return event
    raise LabError(
        "The post's event is not among the last 100 events of the topic.\n"
        "Find the cause: ./lab logs posts-relay"
    )
