"""How the rules of a service come into Consul KV: all at once, and nothing else with them."""

import time
from random import Random

import pytest
from grading import checked_http
from grading.outcome import require
from grading.plugin import check
from grading.reach import consul
from grading.system import eventually

from civildiy.chassis.discovery.gateway_rules import MAX_OPERATIONS, Route, rule_set
from lab.course.exercise import Exercise
from lab03_gateway.kv import ROOT, keys_of
from lab03_gateway.posts import GATEWAY, POSTS
from lab03_gateway.probe import SECRET, Probe, good_routes, probe


@check(points=3)
@pytest.mark.disturbs
def test_one_transaction(lab: Exercise, rng: Random) -> None:
    """All that changes in the rules of a service changes in one transaction"""
    with probe(lab, rng) as service:
        good = good_routes(service.name)
        changed = [
            *good[2:],
            Route("login", f"Path(`/{service.name}/login`)", 210, needs_user=False, limit=(1, 3)),
        ]
        for what, routes in (
            ("a new rule set", good),
            ("a rule set that leaves out a route and changes another", changed),
        ):
            keys = rule_set(service.name, routes, secret=SECRET, auth_check_url=service.auth)
            before = len(service.proxy.writes())
            said = service.publish(keys)
            writes = [f"{asked.method} {asked.path}" for asked in service.proxy.writes()[before:]]
            require(
                len(writes) == 1 and said is True,
                f"called publish() with {what}",
                expected="True, and one request that writes: PUT /v1/txn",
                saw=f"{said}; {len(writes)} requests: {', '.join(writes[:4])}",
                means="`publish` must return whether anything had to change."
                if len(writes) == 1
                else "Between two writes the gateway sees neither the old rules nor the new ones.",
            )
            _holds(service, keys, f"called publish() with {what}")
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
    eventually(lambda: checked_http.get(f"{GATEWAY}{POSTS}").status_code == 200, within=8, what="routes")


def _holds(service: Probe, keys: dict[str, str], did: str) -> None:
    """KV holds these keys of the service, and no other ones."""
    found = service.store.current()
    differ = sorted(key for key in keys.keys() | found.keys() if keys.get(key) != found.get(key))
    require(
        not differ,
        did,
        expected=f"the {len(keys)} keys that are wanted, and no other ones",
        saw=f"{len(differ)} differ, such as {differ[:2]}",
        means="`publish` must set what differs and delete what is no longer wanted.",
    )


@check(points=3)
def test_publish_minds_its_limits(lab: Exercise, rng: Random) -> None:
    """publish() leaves other services' keys alone, writes nothing without need, and hides no refusal"""
    with probe(lab, rng) as service:
        _unchanged(service)
        _neighbours(service)
        _too_much(service)
        _too_large(service)
        service.proxy.closed = True
        said = service.publish(_keys(3))
        require(
            isinstance(said, str) and not said.startswith("RulesRefused"),
            "called publish() while Consul does not answer",
            expected="the exception of py-consul or requests",
            saw=said,
            means="`publish` hides that nothing was written. Its caller reports the error and tries again"
            " in 2 s.",
        )


def _keys(number: int, value: str = "1") -> dict[str, str]:
    """Values without effect: a middleware that no router uses."""
    return {f"middlewares/NAME-many/headers/customRequestHeaders/X-{n:03}": value for n in range(number)}


def _of(service: Probe, keys: dict[str, str]) -> dict[str, str]:
    return {key.replace("NAME", service.name): value for key, value in keys.items()}


def _unchanged(service: Probe) -> None:
    keys = _of(service, _keys(3))
    service.publish(keys)
    before = len(service.proxy.writes())
    said = service.publish(keys)
    writes = len(service.proxy.writes()) - before
    require(
        said is False and not writes,
        "called publish() twice with the same keys",
        expected="False, and no request that writes",
        saw=f"{said}, and {writes} requests that write",
        means="Each service calls `publish` every 2 s. Every write makes Traefik load all its rules again.",
    )
    lost = next(iter(keys))
    consul("DELETE", f"/v1/kv/{ROOT}/{lost}")
    said, found = service.publish(keys), service.store.current()
    require(
        said is True and found == keys,
        "called publish() again with the same keys, after one of them was deleted in KV",
        expected="True, and the key back in KV",
        saw=f"{said}; the key is {'back' if lost in found else 'still missing'}",
        means="`publish` must compare with what is in KV now, `self.current()`, at each call. What it wrote"
        " before may have been lost since.",
    )


def _neighbours(service: Probe) -> None:
    """Keys of a service whose name begins alike, and keys that belong to no service."""
    others = [f"{ROOT}/routers/{service.name}2-a/priority",
              f"{ROOT}/middlewares/{service.name}2-a/retry/attempts",
              f"{ROOT}/middlewares/{service.name}x/retry/attempts"]  # fmt: skip
    for key in others:
        consul("PUT", f"/v1/kv/{key}", content=b"2")
    try:
        service.publish(_of(service, _keys(2)))
        # Listed by the common prefix, which always has keys: a single missing key would be a 404.
        stored = set(consul("GET", f"/v1/kv/{ROOT}/?keys=true"))
        left = [key for key in others if key in stored]
    finally:
        for key in others:
            consul("DELETE", f"/v1/kv/{key}")
    require(
        left == others,
        f"called publish() beside keys of a service '{service.name}2'",
        expected="all keys of the other service still there",
        saw=f"{len(left)} of {len(others)} left",
        means="`publish` removed keys that are not its own: names of two services can begin alike."
        " `self.current()`"
        " holds exactly the keys of this service.",
    )


def _too_large(service: Probe) -> None:
    """Consul refuses a value of more than 512 KiB."""
    service.publish({})
    said = service.publish(
        _of(service, {"middlewares/NAME-large/headers/customRequestHeaders/X": "x" * 600_000})
    )
    require(
        isinstance(said, str) and not said.startswith("RulesRefused"),
        "called publish() with a value of 600,000 bytes, which Consul refuses",
        expected="consul.ConsulException to be raised",
        saw=said,
        means="`publish` hides that Consul refused the transaction, so nothing was written. Let the exception"
        " pass: the chassis reports it and tries again in 2 s.",
    )


def _too_much(service: Probe) -> None:
    service.publish({})
    most = _of(service, _keys(MAX_OPERATIONS))
    did = f"called publish() with {MAX_OPERATIONS} new keys, as many as one transaction takes"
    said = service.publish(most)
    require(
        said is True,
        did,
        expected="True",
        saw=said,
        means="`MAX_OPERATIONS` changes still fit into one transaction.",
    )
    for what, keys in (
        (f"{MAX_OPERATIONS + 1} changed keys", _of(service, _keys(MAX_OPERATIONS + 1, "2"))),
        (
            f"100 new keys while {MAX_OPERATIONS} old ones are no longer wanted",
            {key.replace("-many/", "-more/"): value for key, value in _of(service, _keys(100)).items()},
        ),
    ):
        before = len(service.proxy.writes())
        said = service.publish(keys)
        writes = len(service.proxy.writes()) - before
        require(
            str(said).startswith("RulesRefused") and not writes and service.store.current() == most,
            f"called publish() with {what}",
            expected="RulesRefused, no request that writes, and KV as it was",
            saw=f"{said}; {writes} requests that write; KV"
            f" {'as it was' if service.store.current() == most else 'changed'}",
            means="Deletions count as well as sets. In two transactions the gateway sees a mixture in"
            " between; refuse it"
            " before anything is written.",
        )


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
            means="`publish` must also delete: keys in `self.current()` that are not in `wanted` are left"
            " over.",
        )
    finally:
        consul("DELETE", f"/v1/kv/{stale}?recurse=true")
