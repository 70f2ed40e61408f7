"""Posts: their text, their changes, and the pages in which they are read."""

from typing import Any

from grading.databases import at_once
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check

from lab05_databases.words import HOSTILE, nul_is_refused

TAGS = {"signs": "\U0001f469\u200d\U0001f680 \u00e9"}
"""Tags in the spelling that is kept, for hostile words that have another one."""


@check(points=1)
def test_post_words(ada: Person) -> None:
    """Any text comes back from a post unchanged, or is refused with the name of its field"""
    for kind, words in HOSTILE.items():
        # A tag is compared, so it has one spelling: composed, without what cannot be seen (docs/http.md).
        sent = {"title": words, "content": words, "tags": [TAGS.get(kind, words)]}
        answer = ada.http.post("/api/posts", json=sent)
        kept = ada.http.get(answer.headers.get("Location", "/api/posts/none")).json()
        require(
            answer.status_code == 201 and {name: kept.get(name) for name in sent} == sent,
            f"kept words that hold {kind} in a post",
            expected=sent,
            saw=said(answer) if answer.status_code != 201 else kept,
            means="The text came back changed. Text is data: pass it on as it is. Look at posts.py.",
        )
    query = ada.http.get("/api/posts", params={"user_id": '{"$gt": 0}'})
    means = "A query that takes operators from a client returns the posts of all users."
    require(
        query.status_code == 422,
        "asked for the posts of user_id {$gt: 0}",
        expected="422",
        saw=said(query),
        means=means,
    )
    nul_is_refused(ada, "POST", "/api/posts", "content")


@check(points=3)
def test_post_changes_at_once(ada: Person) -> None:
    """Changes of one post at the same moment lose nothing"""
    path = ada.http.post("/api/posts", json={"title": "t", "content": "c"}).headers["Location"]
    made = 0
    for turn in range(4):
        changes: list[dict[str, Any]] = [
            {"title": f"title {turn}"}, {"content": f"content {turn}"}, {"tags": [f"tag {turn}"]},
        ]  # fmt: skip
        answers = at_once(3, lambda n, c=changes: ada.http.put(path, json=c[n]))  # type: ignore[misc]
        require(
            {answer.status_code for answer in answers} <= {200, 409},
            "changed three fields of one post at once",
            expected="200 for each, or 409 'try again'",
            saw=[answer.status_code for answer in answers],
            means="Another request was faster, so find_one_and_update matched no document. Read the post"
            " again and decide again. Look at `change` in posts.py.",
        )
        accepted: dict[str, Any] = {}
        for change, answer in zip(changes, answers, strict=True):
            accepted |= change if answer.status_code == 200 else {}
        made += len(accepted)
        post = ada.http.get(path).json()
        lost = [field for field, value in accepted.items() if post[field] != value]
        require(
            accepted and not lost and post["version"] == made + 1,
            "changed three fields of one post at once, and again",
            expected="every change that was answered 200, and one version more for each",
            saw=f"lost: {', '.join(lost) or 'none'}; version {post['version']} after {made} changes",
            means="An accepted change was overwritten. The filter of find_one_and_update needs the version"
            " that was read, and the update may set only the changed fields. Look at `change` in posts.py.",
        )


@check(points=3)
def test_pages_while_posts_are_added(ada: Person) -> None:
    """Turning pages shows each post once, newest first, while posts are added"""

    def write(count: int) -> list[str]:
        new = {"title": "t", "content": "c"}
        return [str(ada.http.post("/api/posts", json=new).json()["id"]) for _ in range(count)]

    wanted = write(12)[::-1]
    front = ada.http.get("/api/posts", params={"limit": 100}).json()["items"]
    mine = [post["id"] for post in front if post["user_id"] == ada.id]
    require(
        mine == wanted,
        "read everybody's first page right after writing twelve posts",
        expected="the twelve, newest first",
        saw=f"{len(mine)} of them{', in another order' if len(mine) == 12 else ''}",
        means="Without a sort MongoDB returns any order, which can differ at each call. The order is by"
        ' `_id`, newest first: `sort=[("_id", -1)]`. Look at `page` in posts.py.',
    )
    following = ada.http.get("/api/posts", params={"limit": 3, "before": wanted[4]}).json()["items"]
    require(
        [post["id"] for post in following] == wanted[5:8],
        "read everybody's page of three posts `before` the fifth of these twelve",
        expected="posts 6 to 8",
        saw=f"places {[wanted.index(p['id']) + 1 for p in following if p['id'] in wanted]}",
        means="`before` holds for the pages of all authors as well, not only for those of one author. Look at"
        " `page` in posts.py.",
    )
    part = ada.http.get("/api/posts", params={"user_id": ada.id, "limit": 4, "skip": 3}).json()
    figures = {name: part[name] for name in ("total", "limit", "skip")}
    require(
        [post["id"] for post in part["items"]] == wanted[3:7]
        and figures == {"total": 12, "limit": 4, "skip": 3},
        "asked for four of twelve posts (limit=4), without the first three (skip=3)",
        expected="posts 4 to 7, total 12, limit 4, skip 3",
        saw=f"places {[wanted.index(p['id']) + 1 for p in part['items'] if p['id'] in wanted]}, {figures}",
        means="`total` counts all posts that the query matches, whatever the page: take what"
        " `self._total(query)` returns. Look at `page` in posts.py.",
    )
    _edges(ada, wanted)
    seen: list[str] = []
    lengths: list[int] = []
    totals: list[int] = []
    query: dict[str, Any] = {"user_id": ada.id, "limit": 4}
    for _ in range(6):
        page = ada.http.get("/api/posts", params=query).json()
        seen += [post["id"] for post in page["items"]]
        lengths.append(len(page["items"]))
        totals.append(page["total"])
        if page["next"] is None:
            break
        query["before"] = page["next"]
        write(2)
    did = "read twelve posts in pages of four (by `next`), writing two more after each page"
    require(
        seen == wanted,
        did,
        expected="the twelve, each once, newest first, then an end",
        saw=f"{len(seen)} posts, {len(set(seen))} different, {len(set(wanted) - set(seen))} missed",
        means="A page that is counted from the front shifts by one for each post that is added there."
        ' Continue after the last post that was seen: `{"_id": {"$lt": ObjectId(query.before)}}`. Look at'
        " `page` in posts.py.",
    )
    require(
        lengths == [4, 4, 4],
        did,
        expected="three pages of four, and `next` is null in the third",
        saw=f"pages of {lengths}",
        means="A full page can be the last one. Read `limit + 1` posts; only if there are more than"
        " `limit`, `next` is the id of the last post on the page. Look at `page` in posts.py.",
    )
    require(
        totals == [12, 14, 16],
        did,
        expected="total 12, 14 and 16",
        saw=totals,
        means="`total` counts all posts that the query matches, whatever the page: take what"
        " `self._total(query)` returns. Look at `page` in posts.py.",
    )


def _edges(ada: Person, wanted: list[str]) -> None:
    """Require the pages that begin after the oldest post, and that have both `before` and `skip`."""
    cases: tuple[tuple[dict[str, Any], list[int], str], ...] = (
        (
            {"before": wanted[-1]}, [],
            "No post is older, so the page is empty and nothing follows.",
        ),
        (
            {"before": wanted[2], "skip": 2, "limit": 3}, [6, 7, 8],
            "`skip` counts from `before` on: pass `query.skip` to `find` in each case.",
        ),
        (
            {"before": wanted[7], "limit": 4}, [9, 10, 11, 12],
            "The page is full, and it is the last one: read one post more than `limit` to know it.",
        ),
        (
            {"skip": 20}, [],
            "A page beyond the end is empty and nothing follows.",
        ),
    )  # fmt: skip
    for query, places, means in cases:
        answer = ada.http.get("/api/posts", params={"user_id": ada.id, **query})
        page: dict[str, Any] = {"items": [], "next": answer.status_code}
        if answer.status_code == 200:
            page = answer.json()
        shown = [wanted.index(post["id"]) + 1 for post in page["items"] if post["id"] in wanted]
        following = wanted[places[-1] - 1] if places and places[-1] < len(wanted) else None
        told = ", ".join(
            f"{name} {value if name != 'before' else f'of post {wanted.index(str(value)) + 1}'}"
            for name, value in query.items()
        )
        require(
            (shown, page["next"]) == (places, following),
            f"read an author's twelve posts with {told}",
            expected=f"posts {places}, next {'null' if following is None else f'post {places[-1]}'}",
            saw=said(answer) if answer.status_code != 200 else f"posts {shown}, next {page['next']}",
            means=f"{means} Look at `page` in posts.py.",
        )
