"""What publish() leaves alone, what it refuses, and what it does not hide."""

from random import Random

from grading.outcome import require
from grading.plugin import check
from grading.reach import consul

from civildiy.chassis.discovery.gateway_rules import MAX_OPERATIONS
from lab.course.exercise import Exercise
from lab03_gateway.kv import ROOT
from lab03_gateway.probe import Probe, probe

LOST = (
    "`publish` must compare with what is in KV now, `self.current()`, at each call. What it wrote before may"
    " have been lost since."
)
MISSING = (
    "A key whose wanted value is the empty text is missing in KV, and `publish` takes it for set."
    " Without the key"
    " `customRequestHeaders/X-User-ID` Traefik does not remove a forged header."
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
    empty, text, _ = keys
    keys[empty] = ""
    service.publish(keys)
    require(
        empty in service.store.current(),
        "called publish() with three new keys, one of them with the empty text as its value",
        expected="all three in KV",
        saw="the one with the empty value is missing",
        means=MISSING,
    )
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
    for lost in (text, empty):
        consul("DELETE", f"/v1/kv/{ROOT}/{lost}")
        said, found = service.publish(keys), service.store.current()
        require(
            said is True and found == keys,
            f"called publish() again with the same keys, after one (value {keys[lost]!r}) was deleted in KV",
            expected="True, and the key back in KV",
            saw=f"{said}; the key is {'back' if lost in found else 'still missing'}",
            means=LOST if lost == text else MISSING,
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
