"""Which index MongoDB uses for a query."""

import time
from collections.abc import Iterator

import pytest
from grading.databases import POSTS, index_names, mongodb, plans_of, restart_process
from grading.outcome import require
from grading.people import Person
from grading.plugin import check
from grading.system import backend, eventually

from lab.course.running import incidents
from lab.deadlines import slow

POSTS_BEGAN = pytest.StashKey[float]()
QUIET_SECONDS = 3.0


@pytest.fixture
def built_anew(request: pytest.FixtureRequest, gradable: None) -> float:
    """The indexes are the ones that the running code made: all others were taken away before.

    So is what tells the change stream how a removed post looked.
    """
    stash = request.config.stash
    if POSTS_BEGAN not in stash:
        backend.pid_of("posts")  # raises where nobody may end it: then nothing is taken away either
        with mongodb() as client:
            client[POSTS][POSTS].drop_indexes()
            client[POSTS].command("collMod", POSTS, changeStreamPreAndPostImages={"enabled": False})
        stash[POSTS_BEGAN] = restart_process("posts")

        seen, since = index_names(), time.monotonic()

        def built() -> bool:
            nonlocal seen, since
            if (now := index_names()) != seen:
                seen, since = now, time.monotonic()
            # Fewer than three are for the checks to judge, once no more are coming.
            quiet = time.monotonic() - since > QUIET_SECONDS * slow()
            return len(now) >= 3 or quiet or bool(incidents(backend, ("posts",), stash[POSTS_BEGAN]))

        eventually(built, within=15, what="posts to have made its indexes")
    return stash[POSTS_BEGAN]


@check(points=3)
@pytest.mark.disturbs
def test_posts_of_an_author_by_index(ada: Person, bob: Person, built_anew: float) -> None:
    """The posts of one author are found in order by an index, as MongoDB's own plan says"""
    for person in (*[ada] * 12, *[bob] * 20):
        person.http.post("/api/posts", json={"title": "t", "content": "c"})
    plans = plans_of(ada.id, lambda: ada.http.get("/api/posts", params={"user_id": ada.id, "limit": 2}))
    seen = [
        f"{p.get('planSummary')}, {p.get('keysExamined')} keys and {p.get('docsExamined')} posts looked at"
        + (", sorted in memory" if p.get("hasSortStage") else "")
        for p in plans
    ]
    # To count them takes all of hers; some steps of a scan only look where to go on.
    good = all(
        "user_id" in str(p.get("planSummary"))
        and p.get("keysExamined", 0) <= 15
        and p.get("docsExamined", 0) <= 12
        and not p.get("hasSortStage")
        for p in plans
    ) and any(p.get("docsExamined", 0) <= 3 for p in plans)
    require(
        plans and good,
        "asked for two posts of an author who has twelve, and read MongoDB's profiler",
        expected="IXSCAN by user_id in the order of the page: to count them at most 12 posts looked at, for"
        " the page at most 3, and nothing sorted in memory",
        saw="; ".join(seen) or "no query that holds the author's id",
        means="The order of an index's fields decides which queries it serves: first the field that must be"
        " equal, then the field that sorts. Otherwise MongoDB examines more posts the more there are. Look"
        " at `ensure_collection` in posts.py.",
    )


@check(points=1)
@pytest.mark.disturbs
def test_waiting_posts_by_index(built_anew: float) -> None:
    """Posts with pending events are found by an index, least recently changed first"""
    query = {"find": POSTS, "filter": {"settled": False}, "sort": {"updated_at": 1}, "limit": 500}
    with mongodb() as client:
        explained = client[POSTS].command("explain", query, verbosity="queryPlanner")
    stages = list(_stages(explained["queryPlanner"]["winningPlan"]))
    require(
        "IXSCAN" in stages and not {"COLLSCAN", "SORT"} & {*stages},
        "asked MongoDB how it finds what the relay asks for: unsettled posts by updated_at",
        expected="IXSCAN, without COLLSCAN and SORT",
        saw=stages,
        means="The relay runs this query at each change and once a second. The partial index `outbox` holds"
        " only unsettled posts, so it stays small. Look at `ensure_collection` in posts.py.",
    )


def _stages(plan: object) -> Iterator[str]:
    if isinstance(plan, dict):
        yield from [str(plan["stage"])] if "stage" in plan else []
        for inner in plan.values():
            yield from _stages(inner)
    elif isinstance(plan, list):
        for inner in plan:
            yield from _stages(inner)
