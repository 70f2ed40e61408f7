"""Which request goes to which service."""

from random import Random

import httpx
import pytest
from grading import checked_http
from grading.outcome import require, wrong
from grading.plugin import check
from grading.reach import Recorder, recorder

from civildiy.chassis.discovery.gateway_rules import Route, RulesRefused, rule_set
from lab.course.exercise import Exercise
from lab03_gateway.posts import GATEWAY
from lab03_gateway.probe import SECRET, Probe, live_probe, probe, publish_live

BRACKETS = (
    "`&&` binds more tightly than `||`. Without one pair of brackets around all parts together, a condition"
    " that is joined to `under(…)` holds for its last part only, and protection is left out for the others."
)
NEIGHBOUR = (
    "Every character of the path counts as it is, also a dot, and what follows it must be a '/'."
    " `PathPrefix` compares characters, not parts of a path."
)


@check(points=2)
@pytest.mark.disturbs
def test_neighbours_are_not_caught(lab: Exercise, rng: Random) -> None:
    """under() matches each path and all below it, and no path that only begins alike"""
    with (
        probe(lab, rng) as service,
        recorder(service.name) as there,
        checked_http.client(base_url=GATEWAY, timeout=10) as http,
    ):
        name = service.name
        rule = _in_force(service, http)
        did = f"GET {{}} with the rule of under('/{name}/x', '/{name}/y', '/{name}/y.1'): {rule}"
        for path in ("x", "x/", "x/1", "x/1/2", "y", "y/1", "y.1", "y.1/2"):
            status, seen = meets(there, http, f"/{name}/{path}")
            require(
                (status, seen) == (200, [f"/{name}/{path}"]), did.format(f"/{name}/{path}"),
                expected="200 by the service", saw=status,
                means="`under` must match each of its paths, and everything below each of them.",
            )  # fmt: skip
        for path in ("x2", "xscript", "x.bak", "x-old/1", "X", "y2", "a/x", "yZ1", "yZ1/2"):
            status, seen = meets(there, http, f"/{name}/{path}")
            require(
                status == 404 and not seen, did.format(f"/{name}/{path}"),
                expected="404, and nothing at the service", saw=f"{status}, {len(seen)} reached the service",
                means=NEIGHBOUR,
            )  # fmt: skip
        for path in (f"/{name}/z", f"/{name}/z/1", f"/{name}/w", f"/{name}/w/1"):
            status, seen = meets(there, http, path)
            require(
                status == 404 and not seen, f"GET {path} with the rule under('/{name}/z', '/{name}/w') &&"
                " Method(`PUT`)",
                expected="404, because the method is GET", saw=f"{status}, {len(seen)} reached the service",
                means=BRACKETS,
            )  # fmt: skip


def _in_force(service: Probe, http: httpx.Client) -> str:
    """Publish routes with the learner's rules, everything else by the platform. Gives the first rule."""
    name = service.name
    rule = str(service.under(f"/{name}/x", f"/{name}/y", f"/{name}/y.1"))
    other = str(service.under(f"/{name}/z", f"/{name}/w"))
    routes = [
        Route("below", rule, 100, needs_user=False),
        Route("put", f"{other} && Method(`PUT`)", 100, needs_user=False),
        Route("open", f"Path(`/{name}/open`)", 100, needs_user=False),
    ]
    try:
        keys = rule_set(name, routes, secret=SECRET, auth_check_url=service.auth)
    except RulesRefused as refused:
        wrong(f"called under('/{name}/x', '/{name}/y', '/{name}/y.1')", expected="a rule Traefik can read",
              saw=f"{rule} ({refused})", means="`under` must join matchers by || in brackets.")  # fmt: skip
    publish_live(service, keys, http, f"/{name}/open")
    return rule


@check(points=3)
@pytest.mark.disturbs
def test_routes_lead_where_they_say(lab: Exercise, rng: Random) -> None:
    """rule_set() keeps the priority, entry point, prefix and serving service of each route"""
    with live_probe(lab, rng) as (service, there, http):
        name = service.name
        path = f"/{name}/both"
        _, seen = meets(there, http, path)
        require(
            seen == [f"/first{path}"],
            f"GET {path} with two matching routes: the short rule has priority 300, the long one 30",
            expected=f"the first route, which adds the prefix: /first{path}",
            saw=seen or "nothing at the service",
            means=_prefixed(seen, path),
        )
        path = f"/{name}/absent"
        status, seen = meets(there, http, path)
        require(
            status == 503 and not seen,
            f"GET {path} with a route that is served_by auth and adds the prefix /unavailable/{name}",
            expected="503 by auth, which answers for a service without instances",
            saw=f"{status}, and {len(seen)} reached the service itself",
            means="served_by and add_prefix must lead a request to another service, under another path.",
        )
        path = f"/{name}/inside"
        status, seen = meets(there, http, path)
        require(
            status == 404 and not seen,
            f"GET {path} from outside, with a route whose entry_point is 'internal'",
            expected="404: only the gateway itself can reach it",
            saw=f"{status}, and {len(seen)} reached the service",
            means="`rule_set` must write `entry_point` of each route. What is internal has no protection"
            " of its own,"
            " because nobody outside can reach it.",
        )


def _prefixed(seen: list[str], path: str) -> str:
    """What it means that the first route did not add its prefix."""
    if seen == [path]:
        return (
            "Traefik took the other route, or the prefix is missing. `rule_set` must write the"
            " `priority` of each"
            " route, because without it Traefik takes the longest rule, and the middleware addPrefix."
        )
    if seen:
        return (
            "The path got the prefix of another route. Each route with a prefix needs a middleware"
            " of its own,"
            " `<router>-prefix`."
        )
    return "The router of the first route does not work: see its chain of middlewares, and its service."


def meets(there: Recorder, http: httpx.Client, path: str) -> tuple[int, list[str]]:
    """Status of a GET, and what reached the recording instance meanwhile."""
    there.seen.clear()
    status = http.get(path).status_code
    return status, [seen for _, seen, _ in there.seen]
