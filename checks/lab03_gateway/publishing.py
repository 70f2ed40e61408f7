"""How the rules of a service come into Consul KV: all at once, and nothing else with them."""

import time
from random import Random

import pytest
from grading import checked_http
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.system import backend, eventually

from civildiy.chassis.discovery.gateway_rules import Route, rule_set
from lab.course.exercise import Exercise
from lab03_gateway.kv import ROOT, keys_of
from lab03_gateway.limits import MISSING
from lab03_gateway.posts import GATEWAY, POSTS
from lab03_gateway.probe import SECRET, Probe, good_routes, probe

TOO_MANY = (
    "`publish` has deleted a key that is wanted and was in KV. Delete each key by its whole name, and only"
    " keys that are in `self.current()` and not in `wanted`: Consul's `delete-tree` and `recurse` compare"
    " beginnings, and the names of two routers can begin alike."
)


@check(points=3)
@pytest.mark.disturbs
def test_one_transaction(lab: Exercise, rng: Random) -> None:
    """All that changes in the rules of a service changes in one transaction"""
    with probe(lab, rng) as service:
        # The name of one more route, 'use', is the beginning of another's, 'user'.
        good = [*good_routes(service.name), Route("use", f"Path(`/{service.name}/use`)", 100)]
        changed = [
            *good[2:-1],
            Route("login", f"Path(`/{service.name}/login`)", 210, needs_user=False, limit=(1, 3)),
        ]
        before: dict[str, str] = {}
        for what, routes in (
            ("a new rule set", good),
            ("a rule set that leaves out the routes 'open' and 'use' and changes 'login'", changed),
        ):
            keys = rule_set(service.name, routes, secret=SECRET, auth_check_url=service.auth)
            written = len(service.proxy.writes())
            said = service.publish(keys)
            writes = [f"{asked.method} {asked.path}" for asked in service.proxy.writes()[written:]]
            require(
                len(writes) == 1 and said is True,
                f"called publish() with {what}",
                expected="True, and one request that writes: PUT /v1/txn",
                saw=f"{said}; {len(writes)} requests: {', '.join(writes[:4])}",
                means="`publish` must return whether anything had to change."
                if len(writes) == 1
                else "Between two writes the gateway sees neither the old rules nor the new ones.",
            )
            _holds(service, keys, before, f"called publish() with {what}")
            before = keys
    try:
        _come_back_at_once()
    finally:
        if not keys_of("posts"):  # the other checks need them; a new process publishes once at least
            backend.restart("posts")
    eventually(lambda: checked_http.get(f"{GATEWAY}{POSTS}").status_code == 200, within=8, what="routes")


def _come_back_at_once() -> None:
    eventually(lambda: keys_of("posts"), within=8, what="rules of posts in Consul KV")
    for kind in ("routers", "middlewares"):
        consul("DELETE", f"/v1/kv/{ROOT}/{kind}/posts-?recurse=true")
    eventually(
        lambda: keys_of("posts"), within=8, what="the rules of posts to come back after they were deleted",
        means="`publish` is called every 2 s. It must compare what is wanted with what is in KV now.",
    )  # fmt: skip
    time.sleep(0.5)  # a writer that goes key by key gets the time to go on
    indexes = {index for _, index in keys_of("posts").values()}
    require(
        len(indexes) == 1,
        "deleted all rules of posts and looked at how they came back",
        expected="one ModifyIndex for all keys: one transaction",
        saw=f"{len(indexes)} transactions for {len(keys_of('posts'))} keys",
        means="Between two writes the gateway may see a router without its protection.",
    )


def _holds(service: Probe, keys: dict[str, str], before: dict[str, str], did: str) -> None:
    """KV holds these keys of the service, and no other ones; `before`: the keys of the call before."""
    found = service.store.current()
    differ = sorted(key for key in keys.keys() | found.keys() if keys.get(key) != found.get(key))
    require(
        not differ,
        did,
        expected=f"the {len(keys)} keys that are wanted, and no other ones",
        saw=f"{len(differ)} differ, such as {differ[:2]}",
        means=_left_as_they_were(keys, found, differ, before),
    )


def _left_as_they_were(
    wanted: dict[str, str], found: dict[str, str], differ: list[str], before: dict[str, str]
) -> str:
    missing = [key for key in differ if key not in found]
    if any(before.get(key) == wanted[key] for key in missing):
        return TOO_MANY
    if missing and not any(wanted.get(key) for key in missing):
        return MISSING
    return "`publish` must set what differs or is missing, and delete what is no longer wanted."


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
            means="`publish` must look at `self.current()` at each call, and also delete: the keys in it that"
            " are not in `wanted` are left over.",
        )
    finally:
        consul("DELETE", f"/v1/kv/{stale}?recurse=true")
