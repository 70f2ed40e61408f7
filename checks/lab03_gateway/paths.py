"""Which request goes to which service."""

from random import Random

import httpx
import pytest
from grading import checked_http
from grading.outcome import require
from grading.plugin import check
from grading.reach import Recorder

from lab.course.exercise import Exercise
from lab03_gateway.posts import GATEWAY, POSTS, recorded
from lab03_gateway.probe import live_probe


@check(points=2)
@pytest.mark.disturbs
def test_neighbours_are_not_caught(lab: Exercise, rng: Random) -> None:
    """A path goes where its rule and priority say; one that only begins alike does not"""
    with recorded() as posts, checked_http.client(base_url=GATEWAY, timeout=10) as http:
        for path in ("/api/postscript", "/api/posts2", "/api/posts.bak", "/api/posts-old/1"):
            answers = [http.get(path).status_code for _ in range(4)]
            reached = [seen for _, seen, _ in posts.seen if seen.startswith(path)]
            require(
                set(answers) == {404} and not reached,
                f"GET {path}",
                expected="404, and nothing at posts",
                saw=f"{answers}, {len(reached)} reached posts",
                means="PathPrefix compares characters, not parts of a path.",
            )
        for path in (POSTS, f"{POSTS}/{'0' * 24}", f"{POSTS}/"):
            for _ in range(4):
                http.get(path)
        seen = {path for _, path, _ in posts.seen}
        means = "The path itself and all below it belong to posts."
        require(len(seen) == 3, f"GET {POSTS} and below", expected="at posts", saw=seen, means=means)
    with live_probe(lab, rng) as (service, seen_there, http):
        _goes_where_it_should(service.name, seen_there, http)


def _goes_where_it_should(name: str, there: Recorder, http: httpx.Client) -> None:
    """Routes of a rule set that a check published, with your rule_set()."""
    for path in (f"/{name}/x", f"/{name}/x/1", f"/{name}/y", f"/{name}/y/1"):
        status, seen = _meets(there, http, path)
        means = "under() with several paths matches each of them and what lies below."
        did = f"GET {path} with the rule under('/{name}/x', '/{name}/y')"
        require((status, seen) == (200, [path]), did, expected="at the service", saw=status, means=means)
    path = f"/{name}/both"
    _, seen = _meets(there, http, path)
    require(
        seen == [f"/first{path}"],
        f"GET {path} with two matching routes: the short rule has priority 300, the long one 30",
        expected=f"the first route, which adds the prefix: /first{path}",
        saw=seen or "nothing at the service",
        means="Without a priority Traefik takes the longest rule, whatever you had in mind.",
    )
    path = f"/{name}/away"
    status, seen = _meets(there, http, path)
    require(
        status == 503 and not seen,
        f"GET {path} with the route away('{name}', …, by='auth')",
        expected="503 by auth, which answers for a service without instances",
        saw=f"{status}, and {len(seen)} reached the service itself",
        means="served_by and add_prefix lead a request to another service, under another path.",
    )


def _meets(there: Recorder, http: httpx.Client, path: str) -> tuple[int, list[str]]:
    """Status of a GET, and what reached the recording instance meanwhile."""
    there.seen.clear()
    status = http.get(path).status_code
    return status, [seen for _, seen, _ in there.seen]
