"""How the rules of a service change: all at once, and only good ones."""

import time
from random import Random

import pytest
from grading import checked_http
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.system import eventually

from lab.course.exercise import Exercise
from lab03_gateway.kv import ROOT, keys_of
from lab03_gateway.posts import GATEWAY, POSTS
from lab03_gateway.probe import probe

GOOD = ("not", "nested", "two arguments", "good")
BAD = (
    "no routes", "two of one name", "bracket missing", "no quotes", "operator at the end", "not a matcher",
    "priority 0", "name with a slash", "limit 0", "no operator between", "empty",
    "more than one transaction takes",
)  # fmt: skip


@check(points=3)
@pytest.mark.disturbs
def test_one_transaction(lab: Exercise, rng: Random) -> None:
    """All that changes in the rules of a service changes in one transaction"""
    with probe(lab, rng) as service:
        for case in ("good", "changed"):
            before = len(service.proxy.writes())
            said = service.publish(case)
            writes = [f"{asked.method} {asked.path}" for asked in service.proxy.writes()[before:]]
            require(
                said == "published" and len(writes) == 1,
                "published a rule set with your module, then one that leaves out a route and changes another"
                if case == "changed"
                else "published a rule set with your module",
                expected="one request that writes: PUT /v1/txn",
                saw=f"{said}; {len(writes)} requests: {', '.join(writes[:4])}",
                means="Between two writes the gateway sees neither the old rules nor the new ones.",
            )
    eventually(lambda: keys_of("posts"), within=8, what="rules of posts in Consul KV")
    for kind in ("routers", "middlewares"):
        consul("DELETE", f"/v1/kv/{ROOT}/{kind}/posts-?recurse=true")
    eventually(
        lambda: keys_of("posts"), within=8, what="the rules of posts to come back after they were deleted"
    )
    time.sleep(0.5)  # a writer that goes key by key gets the time to go on
    indexes = {index for _, index in keys_of("posts").values()}
    require(
        len(indexes) == 1,
        "deleted all rules of posts and looked at how they came back",
        expected="one ModifyIndex for all keys: one transaction",
        saw=f"{len(indexes)} transactions for {len(keys_of('posts'))} keys",
        means="Between two writes the gateway may see a router without its protection.",
    )
    eventually(lambda: checked_http.get(f"{GATEWAY}{POSTS}").status_code == 200, within=8, what="routes")


@check(points=2)
def test_stale_keys_go() -> None:
    """Keys that are no longer wanted are removed"""
    stale = f"{ROOT}/routers/posts-of-last-year/"
    for key, value in (
        ("rule", "Path(`/api/last-year`)"),
        ("service", "posts@consulcatalog"),
        ("priority", "50"),
    ):
        consul("PUT", f"/v1/kv/{stale}{key}", content=value.encode())
    try:
        eventually(
            lambda: not [key for key in keys_of("posts") if key.startswith(stale)],
            within=8,
            what="a router that posts does not want any more to be removed from KV",
        )
    finally:
        consul("DELETE", f"/v1/kv/{stale}?recurse=true")


@check(points=3)
def test_broken_rules_are_refused(lab: Exercise, rng: Random) -> None:
    """A broken rule set is refused before it reaches KV, and the old one stays in force"""
    with probe(lab, rng) as service:
        for case in GOOD:
            said = service.publish(case)
            before = keys_of(service.name)
            require(
                said == "published" and before,
                f"rule_set and publish with the good rule set '{case}'",
                expected="keys in KV",
                saw=said,
                means="A check that refuses what Traefik can read keeps everybody from changing a rule.",
            )
        for case in BAD:
            said = service.publish(case)
            after = keys_of(service.name)
            require(
                said.startswith("refused") and after == before,
                f"rule_set and publish with the rule set '{case}'",
                expected="RulesRefused, and KV as it was",
                saw=f"{said}; KV {'as it was' if after == before else 'changed'}",
                means="One rule that Traefik cannot read can stop all later changes.",
            )
