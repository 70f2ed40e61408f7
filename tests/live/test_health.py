"""Commands that inspect the system report its faults, and print the contents of the topic literally."""

import subprocess
from collections.abc import Iterator

import pytest
from redis import Redis
from support import ENDPOINTS, backend, eventually, until_healthy

from civildiy.feed import keys
from lab.deadlines import slow
from lab.faults import topic
from lab.home import REPO
from lab.probes import local_http
from lab.probes.databases import mongodb

CONSUL = ENDPOINTS["consul"]


def lab(*arguments: str) -> str:
    ran = subprocess.run(
        [REPO / "lab", *arguments], capture_output=True, text=True, check=False, timeout=120 * slow()
    )
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def undecodable() -> Iterator[str]:
    """Provide a key that Traefik cannot decode."""
    key = "traefik/http/routers/stray/prio[rity"
    url = f"{CONSUL}/v1/kv/traefik/http/routers/stray/prio%5Brity"
    local_http.put(url, content=b"x").raise_for_status()
    yield key
    local_http.request("DELETE", url).raise_for_status()
    backend.restart("traefik")


@pytest.mark.fault
@pytest.mark.thorough
def test_a_gateway_that_keeps_its_old_rules_is_reported(undecodable: str) -> None:
    for command in (["status"], ["doctor"], ["hint", "01"]):
        said = lab(*command)
        assert f"Traefik cannot decode the key {undecodable}" in said, said
    assert "curl -X DELETE" in lab("status")


@pytest.mark.fault
def test_a_service_in_maintenance_mode_is_reported() -> None:
    services = local_http.get(f"{CONSUL}/v1/agent/services").json()
    instance = next(id for id, service in services.items() if service["Service"] == "profile")
    url = f"{CONSUL}/v1/agent/service/maintenance/{instance}"
    local_http.put(url, params={"enable": "true", "reason": "[red]update"}).raise_for_status()
    try:
        assert f"{instance} is in maintenance mode ([red]update)" in lab("status")
    finally:
        local_http.put(url, params={"enable": "false"}).raise_for_status()


@pytest.mark.fault
@pytest.mark.thorough
@pytest.mark.parametrize("unit", ["posts-relay", "feed-projector", "redis"])
def test_a_paused_unit_is_reported(unit: str) -> None:
    """It has a process and an open port, and its neighbours are well."""
    backend.freeze(unit)
    try:
        assert f"{unit} is paused" in lab("status")
    finally:
        backend.thaw(unit)
    until_healthy()


@pytest.mark.fault
def test_redis_with_other_options_is_reported() -> None:
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port)) as redis:
        before = redis.config_get("maxmemory")["maxmemory"]
        redis.config_set("maxmemory", "100mb")
        try:
            assert "maxmemory is 104857600 instead of 37748736. Do: ./lab restart redis" in lab("status")
        finally:
            redis.config_set("maxmemory", before)


@pytest.mark.fault
@pytest.mark.parametrize("damage", ["junk", "another-type"])
def test_a_feed_that_cannot_be_read_is_reported(damage: str) -> None:
    """Redis answers, each unit runs, and the readers get 503 or something that is not JSON."""
    host, _, port = ENDPOINTS["redis"].rpartition(":")
    with Redis(host=host, port=int(port)) as redis:
        if damage == "junk":
            redis.lpush(keys.GLOBAL, "junk")
        else:
            redis.set(keys.GLOBAL, "junk")
    try:
        assert "GET /api/activity-stream?limit=1 answers" in lab("status")
    finally:
        assert "The feed is rebuilt" in lab("rebuild")
    until_healthy()


@pytest.mark.fault
def test_a_missing_index_is_reported() -> None:
    with mongodb(ENDPOINTS["mongodb"]) as client:
        client["posts"]["posts"].drop_index("expiry")
    assert "has no TTL index on expires_at" in lab("status")
    backend.restart("posts")
    eventually(lambda: "TTL index" not in lab("status"), within=60, what="the index to be created again")
    until_healthy()


@pytest.mark.fault
@pytest.mark.thorough
def test_dead_letters_are_printed_literally() -> None:
    values = [b"[/b] oops", b"[null]", b"[red]x", b"\x1b[2J\xff"]
    topic.publish(ENDPOINTS["kafka"], [(b"poison-[/b]", value) for value in values])
    lab("redrive")  # waits until the projector has passed them
    said = lab("redrive", "--dry-run")
    for text in ("[/b] oops", "[null]", "[red]x", "\\x1b[2J"):
        assert text in " ".join(said.split()), said
    assert "\x1b" not in said
