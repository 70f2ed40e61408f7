"""Each address of addresses() opens with the ordinary call of its client library; account() is logged in."""

import os
import socket
from contextlib import closing
from urllib.parse import urlsplit

import consul
import httpx
import jwt
import psycopg
import pytest
from kafka import KafkaConsumer
from pymongo import MongoClient
from redis import Redis
from support import eventually

from lab.notebook.start import account, addresses

pytestmark = pytest.mark.live


def test_every_address_opens_with_its_client_library() -> None:
    at = addresses()
    for url in (at.auth, at.profile, at.posts, at.feed):
        assert httpx.get(f"{url}/health").json()["status"] == "ok", url
    assert httpx.get(f"{at.gateway}/api/posts").status_code == 200
    assert httpx.get(f"{at.traefik}/api/http/routers").status_code == 200
    assert "profile" in consul.Consul(host=at.consul_host, port=at.consul_port).catalog.services()[1]
    assert httpx.get(f"{at.consul}/v1/status/leader").json()
    assert Redis.from_url(at.redis).ping()
    with MongoClient[dict[str, object]](at.mongodb) as mongodb:
        assert "posts" in mongodb["posts"].list_collection_names()
    consumer = KafkaConsumer(bootstrap_servers=at.kafka)
    try:
        assert "posts-events" in consumer.topics()
    finally:
        consumer.close()


@pytest.mark.parametrize(("name", "database"), [("postgresql", "profile"), ("postgresql_auth", "auth")])
def test_each_database_of_postgresql_opens(name: str, database: str) -> None:
    with psycopg.connect(getattr(addresses(), name)) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (database,)


def test_consul_reaches_a_program_that_listens_here() -> None:
    at = addresses()
    catalog = consul.Consul(host=at.consul_host, port=at.consul_port)
    with socket.create_server((at.here, 0)) as server:
        check = {"TCP": f"{at.here}:{server.getsockname()[1]}", "Interval": "200ms"}
        catalog.agent.service.register("here", service_id="here", address=at.here, check=check)
        try:
            eventually(
                lambda: catalog.health.service("here", passing=True)[1], within=5, what="a passing check"
            )
        finally:
            catalog.agent.service.deregister("here")


def test_passwords_are_not_shown() -> None:
    at = addresses()
    assert str(urlsplit(at.postgresql).password) not in repr(at)


def test_a_proxy_of_the_machine_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", "")
    at = addresses()
    assert httpx.get(f"{at.profile}/health").status_code == 200
    assert os.environ["NO_PROXY"].startswith("example.org,")


def test_an_account_is_logged_in() -> None:
    ada = account("ada")
    with closing(ada.http):
        written = ada.http.post("/api/posts", json={"title": "A shelf", "content": "Oak"}).json()
    assert written["user_id"] == ada.id
    assert jwt.decode(ada.token, options={"verify_signature": False})["sub"] == str(ada.id)
