"""The keys of rule_set(), compared with the tables of the page."""

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from grading.outcome import require
from grading.plugin import check

from civildiy.chassis.discovery.gateway_rules import Route, rule_set
from lab.course.exercise import Exercise
from lab03_gateway.probe import SECRET, good_routes, probe, refuse_good

ORDER = (
    "A request passes the middlewares in the order of their numbers, which begin with 0: the limit, clean,"
    " auth if the route needs a user, again, the prefix."
)
WHEN = (
    "Clean and again are on every router, also on public ones and on those that another service answers. Auth"
    " is on those that need a user, and a limit or a prefix on those whose route has one."
)


@check(points=2)
def test_keys_are_those_of_the_tables(lab: Exercise, rng: Random) -> None:
    """rule_set() validates first, then returns exactly the keys and values of the tables, all as text"""
    with probe(lab, rng) as service:
        public = [replace(route, needs_user=False) for route in good_routes(service.name)]
        everything = Route("all", "Path(`/a`)", 7, limit=(2, 9), add_prefix="/p", served_by="auth")
        constants = service.constants()
        for case, routes in (
            ("routes of every kind", good_routes(service.name)),
            ("public routes only", public),
            ("one route with everything", [everything]),
        ):
            found = service.rule_set(routes)
            if isinstance(found, str):
                refuse_good(found)
            wanted = rule_set(service.name, routes, secret=SECRET, auth_check_url=service.auth)
            for end, value in constants.items():  # they may have another value in the learner's file
                wanted |= {key: value for key in wanted if key.endswith(end)}
            _same(case, found, wanted)
        said = service.validates([everything])
        require(
            said == "RulesRefused: refused by the check",
            "called rule_set() while a stand-in for `_validate` refuses everything",
            expected="the RulesRefused of `_validate`",
            saw=said if isinstance(said, str) else f"{len(said)} keys",
            means="`rule_set` must call `_validate(service, routes)` before it builds the keys. One key that"
            " Traefik cannot read stops all later changes of all services.",
        )


def _same(case: str, found: dict[str, object], wanted: dict[str, str]) -> None:
    did = f"called rule_set() with {case}"
    rows = _middlewares(wanted)
    for router, row in _middlewares(found).items():
        if router in rows:
            _same_middlewares(did, router, row, rows[router])
    missing, more = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    require(
        not missing,
        did,
        expected=f"{missing[0]} = {wanted[missing[0]]!r}" if missing else "",
        saw=f"{len(missing)} keys of the tables are missing"
        + (f"; {more[0]} is not in them" if more else ""),
        means="`rule_set` leaves this key out, or spells it in another way. Compare with the tables"
        " of the page.",
    )
    require(
        not more,
        did,
        expected="no other keys than those of the tables",
        saw=f"{len(more)} more, such as {more[0]} = {found[more[0]]!r}" if more else "",
        means="A key that is not in the tables changes what Traefik does. The middlewares for users, limits"
        " and prefixes exist only where a route asks for them (the column 'when' of the tables), and they"
        " have no other keys than those of the tables.",
    )
    differ = sorted(key for key in wanted if found[key] != wanted[key])
    require(
        not differ,
        did,
        expected=f"{differ[0]} = {wanted[differ[0]]!r}" if differ else "",
        saw=f"{found[differ[0]]!r}; {len(differ)} values differ" if differ else "",
        means=_means(differ[0], found) if differ else "",
    )


def _middlewares(keys: Mapping[str, object]) -> dict[str, list[str]]:
    """The middlewares of each router, in the order of their numbers."""
    found: dict[str, dict[str, str]] = {}
    for key, value in keys.items():
        if match := re.fullmatch(r"routers/(.+)/middlewares/(\d+)", key):
            found.setdefault(match[1], {})[match[2]] = str(value)
    return {router: [row[n] for n in sorted(row, key=int)] for router, row in found.items()}


def _same_middlewares(did: str, router: str, seen: list[str], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in seen]
    more = [name for name in seen if name not in wanted]
    means = ORDER
    kind = missing[0].rpartition("-")[2] if missing else ""
    if kind in ("limit", "prefix") and any(name.endswith(f"-{kind}") for name in more):
        means = (
            f"The name must be {missing[0]}. Each route that has a limit or a prefix needs a middleware of"
            " its own, named after its router. If several routes use one name, the last of them sets the"
            " values for all."
        )
    elif missing:
        means = f"The router {router} lacks {missing[0]}. {WHEN}"
    elif more:
        means = f"The router {router} has {more[0]}, which it must not have. {WHEN}"
    require(
        seen == wanted,
        f"{did}, and read the middlewares of the router {router} in the order of their numbers",
        expected=", ".join(wanted),
        saw=", ".join(seen),
        means=means,
    )


def _means(key: str, found: dict[str, object]) -> str:
    if not isinstance(found[key], str):
        return "Consul stores text, so all values must be text: use str() for numbers."
    if "/middlewares/" in key:
        return ORDER
    if key.endswith("/service"):
        return (
            "Without the ending `@consulcatalog` Traefik knows no service of this name and drops the router:"
            " clients get 404. The name comes from `served_by`, or is that of the service itself."
        )
    return "The value of this key must come from the field, argument or constant that the tables name."
