"""The findings about the running system, derived from given observations."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from civildiy.contracts.posts.topics import TOPICS
from lab.backends.protocol import Unit
from lab.finding import Finding
from lab.health import answers, catalog, clocks, databases, machine, rules, topics, view
from lab.home import REPO

RETENTION = {topic: str(kept) for topic, kept in TOPICS.items()}
ONE_EACH = dict.fromkeys(TOPICS, 1)


def seen(findings: Iterable[Finding]) -> str:
    found = [*findings]
    assert all(one.remedy for one in found), "each problem names the command that fixes it"
    return "\n".join(one.seen for one in found)


def test_topics() -> None:
    assert seen(topics.judge(ONE_EACH, RETENTION)) == ""
    assert "posts-events does not exist" in seen(topics.judge({"posts-events-dlq": 1}, RETENTION))
    assert "has 3 partitions" in seen(topics.judge(ONE_EACH | {"posts-events": 3}, RETENTION))
    assert "keeps records for -1 ms" in seen(topics.judge(ONE_EACH, RETENTION | {"posts-events": "-1"}))


def test_clocks() -> None:
    assert [one.remedy for one in clocks.judge({"auth": 0.4, "redis": -1.0}, 10, 5)] == [""]
    assert "auth is 30 s ahead" in seen(clocks.judge({"auth": 30.0, "redis": 0.0}, 10, 5))
    assert "all units are 60 s behind" in seen(clocks.judge({"auth": -60.0, "redis": -60.2}, 10, 5))
    assert "earlier than the files of the course" in next(clocks.judge({"a": 0.0}, 10, 500)).seen


def test_units_and_disk() -> None:
    def unit(state: str, since: float | None, restarts: int) -> Unit:
        return Unit("feed", state, 7, None, 0, since, restarts)

    assert seen(machine.judge_units([unit("running", 990.0, 0), unit("running", 100.0, 9)], 1000.0)) == ""
    assert "keeps restarting" in seen(machine.judge_units([unit("running", 990.0, 3)], 1000.0))
    assert "feed is paused" in seen(machine.judge_units([unit("paused", 990.0, 0)], 1000.0))
    assert "feed is paused" in seen(machine.judge_units([unit("paused", 990.0, 7)], 1000.0))
    assert "feed is stopped" in seen(machine.judge_units([unit("stopped", None, 0)], 1000.0))
    assert "nearly full" in machine.judge_disk(Path("/"), 10).seen
    assert machine.judge_disk(Path("/"), 10**11).remedy == ""


INFO: dict[str, Any] = {
    "role": "master",
    "maxmemory": 36 * 2**20,
    "used_memory": 10**7,
    "aof_last_write_status": "ok",
}


@pytest.mark.parametrize(
    ("info", "options", "said"),
    [
        ({}, {}, ""), ({"role": "slave", "master_host": "10.0.0.9"}, {}, "Redis copies 10.0.0.9"),
        ({"used_memory": 36 * 2**20}, {}, "it is full: it uses all of its 36 MiB"),
        ({"aof_last_write_status": "err"}, {}, "cannot write its log"),
        ({}, {"maxmemory": "1"}, "maxmemory is 1 instead of 37748736"),
        ({}, {"appendonly": "no"}, "appendonly is no instead of yes"),
    ],
)  # fmt: skip
def test_redis(info: dict[str, Any], options: dict[str, str], said: str) -> None:
    found = seen(view.judge_redis(INFO | info, view.CONFIGURED | options))
    assert said in found if said else not found


def test_redis_is_compared_with_what_it_was_started_with() -> None:
    words = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]["redis"]["command"]
    told = dict(zip(words[1::2], words[2::2], strict=True))
    assert told["--appendonly"] == view.CONFIGURED["appendonly"]
    assert int(told["--maxmemory"].removesuffix("mb")) * 2**20 == int(view.CONFIGURED["maxmemory"])


def test_public_pages() -> None:
    assert answers.judge(200, b'{"items": []}') == ""
    assert answers.judge(200, b'{"items":[junk]}') == 'answers 200 without JSON: {"items":[junk]}'
    assert answers.judge(503, b'{"detail": "redis\\u001b is down"}') == "answers 503: redis\\x1b is down"
    assert "without JSON" in answers.judge(504, b"Gateway Timeout")


def test_the_collection_of_posts() -> None:
    good = {"changeStreamPreAndPostImages": {"enabled": True}}
    ttl: list[dict[str, Any]] = [{"key": {"_id": 1}}, {"key": {"expires_at": 1}, "expireAfterSeconds": 0}]
    assert seen(databases.judge_collection(good, ttl)) == ""
    assert "no TTL index" in seen(databases.judge_collection(good, ttl[:1]))
    assert "no state of removed posts" in seen(databases.judge_collection({}, ttl))


def test_maintenance_and_failing_checks() -> None:
    def check(id: str, status: str, service: str) -> dict[str, Any]:
        return {"CheckID": id, "Status": status, "ServiceName": service, "ServiceID": service, "Node": "lab",
                "Notes": "[red]x", "Output": "\x1b[2J"}  # fmt: skip

    both = [check("_node_maintenance", "critical", ""), check("_service_maintenance:a b", "critical", "auth")]
    found = [*catalog._maintenance("http://c", both)]
    assert "the node lab is in maintenance mode ([red]x)" in seen(found)
    assert "/v1/agent/service/maintenance/a%20b?enable=false" in found[1].remedy
    assert [*catalog._failing("http://c", both)] == []
    assert "\x1b" not in seen(catalog._failing("http://c", [check("service:auth", "critical", "auth")]))


def test_an_entry_that_no_unit_owns_is_deregistered() -> None:
    entries = {
        "posts-10.0.0.3": {"Address": "10.0.0.3"},  # a unit under its own id
        "learners-id": {"Address": "10.0.0.3"},  # the same unit under an id that a learner chose
        "posts-10.0.0.9": {"Address": "10.0.0.9"},  # a second instance, killed
        "a/b": {"Address": ""},
    }
    ownerless = catalog.nobodys(entries, {"posts-10.0.0.3"}, {"10.0.0.3"})
    assert ownerless == {"posts-10.0.0.9", "a/b"}
    failing = [
        {"CheckID": f"service:{id}", "Status": "critical", "ServiceID": id, "ServiceName": "posts",
         "Node": "lab", "Notes": "", "Output": "refused"}
        for id in entries
    ]  # fmt: skip
    first, second, third, fourth = catalog._failing("http://c", failing, ownerless)
    assert first.remedy == second.remedy == "./lab logs posts, ./lab restart posts"
    assert third.remedy == "curl -X PUT 'http://c/v1/agent/service/deregister/posts-10.0.0.9'"
    assert "no unit has this id or address" in third.seen
    assert fourth.remedy.endswith("/deregister/a%2Fb'")


LOG = r"""
ERR Provider error, retrying in 1s error="field not found, node: prio[rity" providerName=consul
ERR Provider error, retrying in 1s error="strconv.ParseInt: parsing \"abc\": invalid" providerName=consul
ERR Provider error, retrying in 1s error="other" providerName=file
"""


def key(name: str, value: str = "") -> dict[str, Any]:
    return {"Key": f"traefik/{name}", "Value": value, "ModifyIndex": 1}


@pytest.mark.parametrize(
    ("bad", "value"), [("http/routers/a/prio[rity", "x"), ("http/routers/a/priority", "abc")]
)
def test_the_undecodable_key_is_named(bad: str, value: str) -> None:
    errors = rules.refusals(LOG)
    assert len(errors) == 2
    good = key("http/routers/a/rule", "Path(`/`)")
    assert [found for found, _ in rules.undecodable([good, key(bad, value)], errors)] == [f"traefik/{bad}"]
    assert rules.undecodable([good], errors) == [], "an error of a key that is gone is no finding"


def test_a_rule_that_traefik_cannot_use_comes_with_a_command() -> None:
    def disabled(service: str) -> dict[str, Any]:
        error = f'the service "{service}@consulcatalog" does not exist'
        return {"name": f"of {service}@consul", "status": "disabled", "error": [error]}

    known, stray = rules._disabled("routers", [disabled("posts"), disabled("nobody")], "http://c")
    assert known.remedy.startswith("./lab restart posts")
    assert stray.remedy == "curl -X DELETE 'http://c/v1/kv/traefik/http/routers/of%20nobody/?recurse=true'"


def test_rules_in_force_against_rules_in_kv() -> None:
    told = rules.tree(
        [key("http/routers/a/rule", "R"), key("http/routers/a/entryPoints/0", "web"),
         key("http/routers/a/middlewares/0", "m"), key("http/routers/gone/rule", "R")], "routers",
    )  # fmt: skip
    answer: list[dict[str, Any]] = [
        {"name": "a@consul", "rule": "R", "entryPoints": ["web"], "middlewares": ["m@consul"]},
        {"name": "old@consul", "rule": "R"}, {"name": "api@internal", "rule": "R"},
    ]  # fmt: skip
    assert rules.differences("routers", told, rules.in_force(answer)) == [
        "router gone is not in force", "router old is in force but no longer in KV",
    ]  # fmt: skip
    answer[0]["rule"] = "Q"
    assert "router a has rule = Q, but KV has R" in rules.differences("routers", told, rules.in_force(answer))
