"""Which rule sets _validate() refuses, and which it accepts."""

from random import Random

from grading.outcome import require
from grading.plugin import check

from civildiy.chassis.discovery.gateway_rules import Route
from lab.course.exercise import Exercise
from lab03_gateway.probe import good_routes, probe


def good_cases(name: str) -> dict[str, list[Route]]:
    """Rule sets that Traefik can read."""
    nowhere = "Host(`nowhere.example`)"
    rules = {
        "a rule with !": f"!Path(`/{name}/a`) && {nowhere}",
        "nested brackets": f"(({nowhere} && !(PathPrefix(`/a`))) || (Path(`/b`) && {nowhere}))",
        "matchers of two arguments": f"Header(`X-Kind`, `a`) && PathRegexp(`^/a$`) && {nowhere}",
        "spaces around everything": f" ( ! Path(`/a`) )  ||  {nowhere} ",
        "no spaces": f"Path(`/a`)&&{nowhere}||Path(`/{name}/b`)&&!Method(`GET`)",
        "brackets and operators inside backticks": f"PathRegexp(`^/(a|b)$`) && {nowhere}",
    }
    rules["forty matchers"] = " || ".join(f"Path(`/{name}/{n}`)" for n in range(40))
    rules["twenty pairs of brackets"] = "(" * 20 + nowhere + ")" * 20
    found = {case: [Route("a", rule, 10)] for case, rule in rules.items()}
    found["priorities 1 and 9999"] = [Route("a", nowhere, 1), Route("b", nowhere, 9999)]
    found["the least limit, (1, 1)"] = [Route("a", nowhere, 10, limit=(1, 1))]
    found["digits and '-' in a name"] = [Route("a-2b", nowhere, 10)]
    found["routes of every kind"] = good_routes(name)
    return found


def bad_cases(name: str) -> dict[str, list[Route]]:
    """Rule sets that must not reach KV."""
    path = "Path(`/a`)"
    rules = {
        "bracket missing": f"({path}",
        "one bracket too many": f"{path})",
        "brackets the wrong way round": f"){path}(",
        "empty brackets": "()",
        "no backticks": "Path(/a)",
        "operator at the end": f"{path} &&",
        "operator at the beginning": f"|| {path}",
        "two operators": f"{path} && || {path}",
        "one & only": f"{path} & {path}",
        "a space inside &&": f"{path} & & {path}",
        "a space inside ||": f"{path} | | {path}",
        "a space inside a matcher": "Path (`/a`)",
        "an operator and a half": f"{path} &&& {path}",
        "! at the end": f"{path} !",
        "! between two matchers": f"{path} ! {path}",
        "not a matcher": "Paht(`/a`)",
        "the letter that stands for a matcher": "M",
        "no argument": "Path()",
        "an empty argument": "Path(``)",
        "too many arguments": "Path(`/a`, `/b`)",
        "too few arguments": "Header(`X-Kind`)",
        "a path without /": "Path(`a`)",
        "a newline in a path": "Path(`/a\n`)",
        "no operator between": f"{path} Method(`GET`)",
        "words between": f"{path} and Method(`GET`)",
        "an operator before a closing bracket": f"({path} &&) {path}",
        "an operator after an opening bracket": f"{path} (|| {path})",
        "an operator in brackets": f"{path} (&&) {path}",
        "! before a closing bracket": f"({path} !) && {path}",
        "empty brackets before a matcher": f"(){path}",
        "empty brackets after !": f"!() && {path}",
        "a matcher before a bracket": f"{path} ({path})",
        "empty": "",
        "spaces only": "  ",
        "a letter M beside a matcher": f"M && {path}",
        "no operator between two brackets": f"({path})({path})",
        "forty matchers and an operator at the end": " || ".join([path] * 40) + " ||",
    }
    good = Route("a", path, 10)
    found: dict[str, list[Route]] = {"no routes": []}
    found |= {case: [Route("a", rule, 10)] for case, rule in rules.items()}
    return found | {
        "two routes of one name, side by side": [good, good],
        "two routes of one name, with another between": [
            good,
            Route("b", path, 10),
            Route("a", "Path(`/c`)", 20),
        ],
        "a broken rule after good ones": [good, Route("b", path, 10), Route("c", "Path(", 10)],
        "priority 0": [Route("a", path, 0)],
        "priority -1": [Route("a", path, -1)],
        "priority 10000": [Route("a", path, 10_000)],
        "a name with a slash": [Route("a/b", path, 10)],
        "a bad limit after a good route": [good, Route("b", path, 10, limit=(0, 1))],
        "a bad name after a good route": [good, Route("B", path, 10)],
        "a name with a space": [Route("a b", path, 10)],
        "a name with a letter that is not ASCII": [Route("\u00e4", path, 10)],
        "a name in capital letters": [Route("Abc", path, 10)],
        "a name with a newline": [Route("a\n", path, 10)],
        "a name with a dot": [Route("a.b", path, 10)],
        "average 0": [Route("a", path, 10, limit=(0, 5))],
        "burst 0": [Route("a", path, 10, limit=(5, 0))],
        "a negative average": [Route("a", path, 10, limit=(-1, 5))],
        "a negative burst": [Route("a", path, 10, limit=(10, -1))],
        "two negative numbers": [Route("a", path, 10, limit=(-10, -20))],
    }


@check(points=3)
def test_broken_rules_are_refused(lab: Exercise, rng: Random) -> None:
    """_validate() refuses each kind of broken rule set, names the router, and accepts good ones"""
    with probe(lab, rng) as service:
        for case, routes in good_cases(service.name).items():
            said = service.validate(routes, case)
            require(
                said == "accepted",
                f"called _validate() with the good rule set '{case}': {_shown(routes)}",
                expected="no exception",
                saw=said,
                means="Traefik can read this rule set. If it is refused, nobody can change the rules of a"
                f" service that needs it. {WHERE}",
            )
        for case, routes in bad_cases(service.name).items():
            said = service.validate(routes, case)
            did = f"called _validate() with the rule set '{case}': {_shown(routes)}"
            require(
                said.startswith("RulesRefused"),
                did,
                expected="RulesRefused to be raised",
                saw=said,
                means=_accepted(routes) if said == "accepted" else ANOTHER_ERROR,
            )
            # In each of these rule sets the last route is the one that is refused.
            name = f"{service.name}-{routes[-1].name.strip()}" if routes else service.name
            require(
                name in said,
                did,
                expected=f"a message with the router's name, {name}" if routes else f"a message with {name}",
                saw=said,
                means="The message must name the router and the reason: a service has many routes, and its"
                " author must find the one that is refused.",
            )


ANOTHER_ERROR = (
    "The callers of `_validate` catch RulesRefused. Another exception does not tell them"
    " that the rules are wrong."
)
WHERE = (
    "Names, priorities and limits are the work of `_validate`, rules that of `_validate_rule`, which"
    " `_validate`"
    " must call for each route."
)


def _accepted(routes: list[Route]) -> str:
    """What it means that `_validate` accepts these routes."""
    harm = "One key that Traefik cannot read stops all later changes of all services."
    if len(routes) == 1 and routes[0] == Route("a", routes[0].rule, 10):
        return (
            "`_validate_rule` accepts a rule that Traefik cannot read, or `_validate` does not"
            f" call it. {harm}"
        )
    if len(routes) > 1:
        return f"`_validate` must compare the names of all routes, and look at each of them. {harm}"
    if routes and routes[0].limit and min(routes[0].limit) < 1:
        return (
            f"`_validate` accepts the limit {routes[0].limit}. Each of the two numbers must be at least 1:"
            " with an average or a burst below 1 the gateway answers 429 to everybody on this route."
        )
    return f"`_validate` accepts a name, a priority or an empty list that the page excludes. {harm}"


def _shown(routes: list[Route]) -> str:
    if len(routes) != 1:
        return f"{len(routes)} routes"
    route = routes[0]
    limit = f", limit {route.limit}" if route.limit else ""
    return f"name {route.name!r}, rule {route.rule!r}, priority {route.priority}{limit}"
