"""Rules are checked before they reach the gateway."""

import pytest

from civildiy.auth import app as auth
from civildiy.chassis.discovery.gateway_rules import Route, RulesRefused, rule_set, under
from civildiy.feed import app as feed
from civildiy.posts import app as posts
from civildiy.profile import app as profile


@pytest.mark.parametrize("routes", [auth.ROUTES, profile.ROUTES, posts.ROUTES, feed.ROUTES])
def test_the_services_own_rules_are_accepted(routes: tuple[Route, ...]) -> None:
    keys = rule_set("x", routes, secret="s", auth_check_url="http://a")
    first = [f"routers/x-{route.name}/middlewares" for route in routes]
    assert all(any(key.startswith(start) for key in keys) for start in first)


@pytest.mark.parametrize(
    "route",
    [
        Route("a", "Path(`/a`", 1), Route("a", "Path(/a)", 1), Route("a", "", 1),
        Route("A b", under("/a"), 1), Route("a", under("/a"), 0), Route("a", under("/a"), 1, limit=(0, 1)),
        Route("a", "Path(`/a`) && ", 1), Route("a", "Path(`/a`) Path(`/b`)", 1),
        Route("a", "Path(`/a`) & & Path(`/b`)", 1), Route("a", "M && Path(`/a`)", 1),
        Route("a", "Path(`/a`, `/b`)", 1), Route("a", "Header(`a`)", 1), Route("a", "Path(`a`)", 1),
        Route("a", "Path(`/a`)`", 1), Route("a", "Path(`/a\n`)", 1), Route("a", "Paht(`/a`)", 1),
    ],
)  # fmt: skip
def test_unusable_rules_are_refused(route: Route) -> None:
    with pytest.raises(RulesRefused):
        rule_set("x", [route], secret="s", auth_check_url="http://a")


@pytest.mark.parametrize(
    ("routes", "router"),
    [
        ([Route("a", under("/a"), 1), Route("b", under("/b"), 1), Route("a", under("/c"), 1)], "x-a"),
        ([Route("a", under("/a"), 1), Route("b", under("/b"), 0)], "x-b"),
        ([Route("a", under("/a"), 1), Route("b", under("/b"), 1, limit=(1, 0))], "x-b"),
        ([Route("a", under("/a"), 1), Route("B", under("/b"), 1)], "x-B"),
        ([Route("a", under("/a"), 1), Route("b", "Path(", 1)], "x-b"),
    ],
)
def test_a_refusal_names_the_router(routes: list[Route], router: str) -> None:
    with pytest.raises(RulesRefused, match=f"{router}: "):
        rule_set("x", routes, secret="s", auth_check_url="http://a")


@pytest.mark.parametrize(
    "rule", ["( Path(`/a`) || ! Method(`GET`) ) && Header(`a`, `b`)", "!(!Host(`x`))", "Query(`q`, `1`)"]
)
def test_rules_that_traefik_reads_are_accepted(rule: str) -> None:
    assert rule_set("x", [Route("a", rule, 1)], secret="s", auth_check_url="http://a")
