"""Show the databases at work: a race for one row, and a query with and without an index."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.collection import Collection

from lab.notebook import plots, timeline
from lab.notebook.picture import Picture, Table
from lab.notebook.stack import client, mongodb

Run = tuple[float, float, int]
"""When a request began and ended, in ms since the first, and its status."""


def race(runners: int = 20) -> list[Run]:
    """Register one email `count` times at once, in changing letter case."""
    name = f"race-{secrets.token_hex(4)}"
    with client() as http:
        http.get("/api/auth/health")
        began = time.perf_counter()

        def run(number: int) -> Run:
            email = f"{name}@example.org".upper() if number % 2 else f"{name}@example.org"
            new = {"email": email, "username": f"{name}-{number}", "password": secrets.token_hex(8)}
            start = time.perf_counter()
            status = http.post("/api/auth/register", json=new, timeout=60).status_code
            return (start - began) * 1000, (time.perf_counter() - began) * 1000, status

        with ThreadPoolExecutor(runners) as pool:
            return list(pool.map(run, range(runners)))


def tally(runs: Sequence[Run]) -> dict[int, int]:
    """Return how many registrations got each status."""
    return dict(sorted(Counter(status for _, _, status in runs).items()))


def race_picture(runs: Sequence[Run]) -> Picture:
    """Draw each registration as a bar from its start to its answer."""
    words = {201: "201 created", 409: "409 taken"}
    rows = {f"{n}": [(start, end, words.get(status, str(status)))] for n, (start, end, status) in
            enumerate(sorted(runs, key=lambda run: run[1]), 1)}  # fmt: skip
    said = ", ".join(f"{count} answered {status}" for status, count in tally(runs).items())
    won = [f"{end:.0f} ms" for _, end, status in runs if status == 201]
    begun, ended = max(start for start, _, _ in runs), max(end for _, end, _ in runs)
    alt = (
        f"{len(runs)} registrations of one email, all under way after {begun:.0f} ms: {said}."
        f" Created after: {' and '.join(won) or 'never'}. The last answer after {ended:.0f} ms."
    )
    return timeline.lanes(rows, alt=alt, title=f"{len(runs)} registrations of one email", x="milliseconds")


@contextmanager
def scratch(posts: int) -> Iterator[Collection[dict[str, Any]]]:
    """Make a collection of posts by many authors without an index; it is dropped after the block."""
    found = mongodb()["notebook"][f"posts_{secrets.token_hex(4)}"]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    authors = max(1, posts // 10)
    try:
        found.insert_many(
            [{"user_id": n % authors, "title": f"post {n}", "content": "x" * 100,
              "updated_at": start + timedelta(seconds=n * 7919 % posts)} for n in range(posts)],
            ordered=False,
        )  # fmt: skip
        yield found
    finally:
        found.drop()


def plan(found: Collection[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """Explain how MongoDB answers a query: its stage, and the documents examined and returned."""
    explained = found.database.command(
        "explain", {"find": found.name, "filter": wanted}, verbosity="executionStats"
    )
    stages, stage = [], explained["queryPlanner"]["winningPlan"]
    while stage:
        stages.append(stage["stage"])
        stage = stage.get("inputStage")
    ran = explained["executionStats"]
    return {"plan": " over ".join(stages), "looked at": ran["totalDocsExamined"], "found": ran["nReturned"]}


def plans(before: dict[str, Any], after: dict[str, Any]) -> Table:
    """Return two plans side by side, as a table."""
    rows = [(name, before[name], after[name]) for name in before]
    return Table("One author's posts, as MongoDB looks for them", ("", "without index", "with index"), rows)


def plans_picture(before: dict[str, Any], after: dict[str, Any]) -> Picture:
    """Draw the documents examined beside the documents returned."""
    title = "What the same query costs"
    groups = {f"{when}: {p['plan']}": {"looked at": p["looked at"], "found": p["found"]}
              for when, p in (("without index", before), ("with index", after))}  # fmt: skip
    alt = "; ".join(f"{when}: looked at {g['looked at']} to find {g['found']}" for when, g in groups.items())
    return plots.bars(groups, alt=f"{title}. {alt}.", title=title, y="documents", log=True)


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Return the milliseconds of each call. One call before them opens connections and is not counted."""
    work()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return found
