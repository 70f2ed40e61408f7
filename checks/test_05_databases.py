"""Lab 05: what accounts, profiles and posts do when many want the same, and what the databases say."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
from bson import ObjectId
from grading.databases import (
    POSTS,
    at_once,
    begin_anew,
    connections_opened,
    index_names,
    inserts_at_once,
    mongodb,
    plans_of,
    postgresql,
    without_users,
)
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check
from grading.system import ENDPOINTS, backend, eventually, http
from pymongo.collection import Collection

from lab.course.running import incidents
from lab.readiness import slow

HOSTILE = {
    "SQL": "'; DROP TABLE users;--",
    "an operator": '{"$gt": ""}',
    "a variable": "$title ${jndi} %s %(x)s :name {0} \\' \\",
    "signs": "\U0001f469\u200d\U0001f680 e\u0301 \u202eabc \u0645\u0631\u062d\u0628\u0627 \ufeff",
}
POSTS_BEGAN = pytest.StashKey[float]()
QUIET_SECONDS = 3.0


def register(client: httpx.Client, email: str, username: str) -> httpx.Response:
    new = {"email": email, "username": username, "password": "long enough"}
    return client.post(f"{ENDPOINTS['gateway']}/api/auth/register", json=new)


def mixed(word: str, rng: Random) -> str:
    return "".join(rng.choice((letter.lower(), letter.upper())) for letter in word)


def race(what: str, rng: Random, where: str) -> None:
    """Twenty registrations that agree in `what`, but for letter case; one may win."""
    name = f"r{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    emails, names = [], []
    for number in range(20):
        emails.append(mixed(f"{name}@example.org", rng) if what == "email" else f"{name}{number}@example.org")
        names.append(mixed(name, rng) if what == "username" else f"{name}-{number}")
    with http() as client:
        answers = inserts_at_once("auth", "users", 20, lambda n: register(client, emails[n], names[n]))
    seen = sorted(answer.status_code for answer in answers)
    require(
        seen == [201] + [409] * 19,
        f"registered twenty people with one {what} (in different letter case) at once{where}",
        expected="one 201 and nineteen 409",
        saw={status: seen.count(status) for status in seen},
        means="A look before the insert proves nothing: all twenty look before the first one writes.",
    )
    refused = next(answer for answer in answers if answer.status_code == 409)
    named = [error["field"] for error in refused.json().get("errors") or []]
    require(
        named == [what],
        f"read a 409 of the twenty{where}",
        expected=f"an error that names '{what}'",
        saw=said(refused),
        means="The name of the index that refused says which field it was.",
    )


@check(points=3)
@pytest.mark.parametrize("what", ["email", "username"])
def test_parallel_registrations(what: str, rng: Random) -> None:
    """Of twenty who want one name at the same moment one gets it, in any letter case"""
    race(what, rng, "")


@check(points=2)
@pytest.mark.disturbs
def test_empty_database(rng: Random) -> None:
    """In an empty database auth makes a table that guards itself"""
    with without_users():
        began = begin_anew("auth")

        def made() -> bool:
            with postgresql("auth") as connection:
                found = connection.execute("SELECT to_regclass('public.users')").fetchone()
            return bool(found and found[0])

        eventually(
            lambda: made() or incidents(backend, ("auth",), began),
            within=15,
            what="auth to make the table users",
        )
        for what in ("email", "username"):
            race(what, rng, ", in a table that auth had just made")


@check(points=2)
@pytest.mark.disturbs
def test_full_database(rng: Random) -> None:
    """In a database that holds accounts already auth adds what guards them, and takes nothing away"""
    name = f"f{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    held = "SELECT count(*) FROM public.users WHERE email = %s"
    guarded = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'users'"
    with without_users():
        with postgresql("auth") as connection:
            like = "LIKE kept.users INCLUDING DEFAULTS INCLUDING IDENTITY"
            connection.execute(f"CREATE TABLE public.users ({like})")
            connection.execute(
                "INSERT INTO public.users (email, username, password_hash) VALUES (%s, %s, 'none')",
                (f"{name}@example.org", name),
            )
        began = begin_anew("auth")

        def count(statement: LiteralString, *values: str) -> int:
            with postgresql("auth") as connection:
                found = connection.execute(statement, values).fetchone()
            return int(found[0]) if found else 0

        eventually(
            lambda: count(guarded) >= 2 or incidents(backend, ("auth",), began),
            within=5,
            what="auth to make the indexes of a table that was there before it",
        )
        with http() as client:
            seen = [register(client, f"{name.upper()}@example.org", f"{name}-2").status_code]
            seen.append(register(client, f"{name}2@example.org", name.upper()).status_code)
        left = count(held, f"{name}@example.org")
    require(
        (left, seen) == (1, [409, 409]),
        "began auth on a table with one account and no index, and registered its email and its name again",
        expected="the account still there, and 409 for both",
        saw=f"{left} account with this email; answers {seen}",
        means="A service begins many times, and only once on an empty database.",
    )


@check(points=1)
def test_login_by_the_whole_address(rng: Random) -> None:
    """An account is found by its whole address, in any letter case, and never by a pattern"""
    name = f"w{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    email = f"{name}@example.org"
    with http() as client:
        register(client, email, name)
        login = f"{ENDPOINTS['auth']}/api/auth/login"
        for how, sent, wanted in (
            ("in capitals", email.upper(), 200),
            ("with _ in place of its last letter", f"{name[:-1]}_@example.org", 401),
            ("cut off, with % in place of its end", f"{name}%", 401),
        ):
            answer = client.post(login, json={"email": sent, "password": "long enough"})
            require(
                answer.status_code == wanted,
                f"logged in with the right password and the registered address {how}",
                expected=wanted,
                saw=said(answer),
                means="Letter case is nothing that people remember. But LIKE compares with a pattern, and who"
                " may write patterns finds other people's accounts.",
            )


@check(points=2)
def test_hostile_words_at_login(rng: Random) -> None:
    """Words that look like SQL are words: as an email, and at the login"""
    name = f"o{rng.getrandbits(40):010x}{datetime.now(UTC):%f}"
    email, did = f"o'hara--{name}@example.org", "registered and logged in with an email that holds ' and --"
    with http() as client:
        new = register(client, email, name)
        login = f"{ENDPOINTS['auth']}/api/auth/login"
        good = client.post(login, json={"email": email, "password": "long enough"})
        require(
            (new.status_code, good.status_code) == (201, 200),
            did,
            expected="201 and 200",
            saw=f"{said(new)} and {said(good)}",
            means="Text inside a statement becomes part of it. Send it beside the statement, as a parameter.",
        )
        words = [*HOSTILE.values(), "' OR '1'='1", f"{email}' OR 'a'='a", "x\0y"]
        answers = [client.post(login, json={"email": w, "password": "long enough"}) for w in words]
        for word, answer in zip(words, answers, strict=True):
            require(
                answer.status_code == 401,
                f"logged in as {word!r}",
                expected="401",
                saw=said(answer),
                means="Whoever can write into a statement can log in as anybody.",
            )
        again = client.post(login, json={"email": email, "password": "long enough"})
    require(again.status_code == 200, did, expected="still 200", saw=said(again), means="Nothing is gone.")


@check(points=1)
@pytest.mark.parametrize(("role", "other"), [("auth", "profile"), ("profile", "auth")])
def test_roles_are_apart(role: str, other: str) -> None:
    """The role of one service may not look into the database of another"""
    with postgresql(role) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    try:
        with postgresql(role, other) as connection:
            seen = str(connection.execute("SELECT current_database()").fetchone())
    except psycopg.OperationalError as error:
        seen = str(error)
    require(
        "permission denied" in seen,
        f"connected to the database {other} as the role {role}",
        expected="permission denied",
        saw=seen,
        means="Who can read another service's tables soon depends on them; then neither can change.",
    )


@check(points=2)
def test_first_profile_once(ada: Person) -> None:
    """Of ten first profiles at the same moment one is stored"""
    answers = inserts_at_once(
        "profile", "user_profiles", 10, lambda n: ada.http.post("/api/profile", json={"city": str(n)})
    )
    seen = sorted(answer.status_code for answer in answers)
    require(
        seen == [201] + [409] * 9,
        "sent ten first profiles of one person at once",
        expected="one 201 and nine 409",
        saw={status: seen.count(status) for status in seen},
        means="The unique column decides; its refusal is an answer (409), not an error of ours (500).",
    )
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    kept = ada.http.get("/api/profile").json()
    means = "Who reads 201 relies on it."
    require(kept == winner, "read the profile", expected=winner, saw=kept, means=means)
    gone = [ada.http.delete("/api/profile").status_code, ada.http.get("/api/profile").status_code]
    gone += [ada.http.post("/api/profile", json={}).status_code]
    require(
        gone == [200, 404, 201],
        "deleted the profile, read it, and made another",
        expected=[200, 404, 201],
        saw=gone,
        means="What was deleted is not there, and makes room.",
    )


@check(points=3)
def test_profile_changes_at_once(ada: Person) -> None:
    """Changes of one profile at the same moment lose nothing"""
    fields = ["first_name", "last_name", "address", "city", "state", "country", "phone", "bio"]
    ada.http.post("/api/profile", json={})
    for turn in range(4):
        answers = at_once(8, lambda n, t=turn: ada.http.put("/api/profile", json={fields[n]: f"{n} {t}"}))  # type: ignore[misc]
        require(
            {answer.status_code for answer in answers} <= {200, 409},
            "changed eight fields of one profile at once",
            expected="200 for each, or 409 'try again'",
            saw=[answer.status_code for answer in answers],
            means="Somebody was quicker: read again, and apply the change to what is there now.",
        )
        accepted = {f: f"{n} {turn}" for n, f in enumerate(fields) if answers[n].status_code == 200}
        profile = ada.http.get("/api/profile").json()
        lost = [field for field, value in accepted.items() if profile[field] != value]
        require(
            accepted and not lost,
            "changed eight fields of one profile at once",
            expected="every change that was answered 200 in the profile",
            saw=f"lost: {', '.join(lost) or 'none'}; accepted: {len(accepted)}",
            means="A write that carries what it read earlier puts old values back.",
        )


@check(points=1)
def test_profile_words(ada: Person) -> None:
    """Any words come back from a profile as they went in, or are refused by name"""
    ada.http.post("/api/profile", json={})
    for kind, words in HOSTILE.items():
        sent = {"bio": words, "city": words, "preferences": {words: [words, {"a.b": None}]}}
        answer = ada.http.put("/api/profile", json=sent)
        kept = ada.http.get("/api/profile").json()
        require(
            answer.status_code == 200 and {name: kept[name] for name in sent} == sent,
            f"kept words that hold {kind} in a profile",
            expected=sent,
            saw=said(answer) if answer.status_code != 200 else {name: kept[name] for name in sent},
            means="Text is data. No store may read it as anything else.",
        )
    _nul_is_refused(ada, "PUT", "/api/profile", "bio")


@check(points=1)
def test_post_words(ada: Person) -> None:
    """Any words come back from a post as they went in, or are refused by name"""
    for kind, words in HOSTILE.items():
        sent = {"title": words, "content": words, "tags": [words]}
        answer = ada.http.post("/api/posts", json=sent)
        kept = ada.http.get(answer.headers.get("Location", "/api/posts/none")).json()
        require(
            answer.status_code == 201 and {name: kept.get(name) for name in sent} == sent,
            f"kept words that hold {kind} in a post",
            expected=sent,
            saw=said(answer) if answer.status_code != 201 else kept,
            means="Text is data. No store may read it as anything else.",
        )
    query = ada.http.get("/api/posts", params={"user_id": '{"$gt": 0}'})
    means = "A query that takes operators from outside gives everything away."
    require(
        query.status_code == 422,
        "asked for the posts of user_id {$gt: 0}",
        expected="422",
        saw=said(query),
        means=means,
    )
    _nul_is_refused(ada, "POST", "/api/posts", "content")


def _nul_is_refused(person: Person, method: str, path: str, field: str) -> None:
    answer = person.http.request(method, path, json={"title": "t", field: "a\0b"})
    named = field in json.dumps(answer.json().get("errors")) if answer.status_code == 422 else False
    require(
        named,
        f"{method} {path} with the character NUL in {field}",
        expected=f"422 that names {field}",
        saw=said(answer),
        means="PostgreSQL keeps no NUL in a text; who does not say so early answers 500.",
    )


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
        stash[POSTS_BEGAN] = begin_anew("posts")

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
        means="The order of an index's fields decides what it is good for: first what is equal, then what is"
        " sorted by. Else MongoDB looks at more posts the more there are.",
    )


@check(points=1)
@pytest.mark.disturbs
def test_waiting_posts_by_index(built_anew: float) -> None:
    """The posts that owe an event are found by an index, longest untouched first"""
    query = {"find": POSTS, "filter": {"settled": False}, "sort": {"updated_at": 1}, "limit": 500}
    with mongodb() as client:
        explained = client[POSTS].command("explain", query, verbosity="queryPlanner")
    stages = list(_stages(explained["queryPlanner"]["winningPlan"]))
    require(
        "IXSCAN" in stages and not {"COLLSCAN", "SORT"} & {*stages},
        "asked MongoDB how it finds what the relay asks for: unsettled posts by updated_at",
        expected="IXSCAN, without COLLSCAN and SORT",
        saw=stages,
        means="The relay asks at each change and each second. A partial index holds only what waits, so it"
        " costs next to nothing.",
    )


def _stages(plan: object) -> Iterator[str]:
    if isinstance(plan, dict):
        yield from [str(plan["stage"])] if "stage" in plan else []
        for inner in plan.values():
            yield from _stages(inner)
    elif isinstance(plan, list):
        for inner in plan:
            yield from _stages(inner)


@check(points=3)
@pytest.mark.disturbs
def test_expired_posts_are_deleted(ada: Person, built_anew: float) -> None:
    """A post is hidden when its time is over, MongoDB itself deletes it, and the feed hears of it"""
    now = datetime.now(UTC)
    ids = {}
    for name, expires in (
        ("soon", now + timedelta(seconds=2)),
        ("later", now + timedelta(hours=1)),
        ("owing", now + timedelta(hours=1)),
        ("", None),
    ):
        new = {"title": "t", "content": "c", "expires_at": expires and expires.isoformat()}
        ids[name] = ObjectId(ada.http.post("/api/posts", json=new).json()["id"])
    with mongodb() as client:
        posts, before = client[POSTS][POSTS], _deleted_by_ttl(client)
        _until_settled(posts, ids["owing"])
        # Over for longer than the others, and as if its last event still waited.
        owing = {"expires_at": now - timedelta(hours=1), "settled": False}
        posts.update_one({"_id": ids["owing"]}, {"$set": owing})
        try:
            eventually(
                lambda: ada.http.get(f"/api/posts/{ids['soon']}").status_code == 404,
                within=5,
                what="the expired post to be hidden",
            )
            eventually(
                lambda: posts.count_documents({"_id": ids["soon"]}) == 0,
                within=8,
                what="MongoDB to delete the post after its time",
            )
            eventually(
                lambda: _deleted_by_ttl(client) > before,
                within=3,
                what="MongoDB to count it as a TTL deletion",
            )
            left = posts.count_documents({"_id": {"$in": [ids["later"], ids[""]]}})
            waits = posts.count_documents({"_id": ids["owing"]})
        finally:
            posts.update_one({"_id": ids["owing"]}, {"$set": {"settled": True}})
    require(
        waits,
        "let a post expire whose last event was not published yet",
        expected="still there: MongoDB may delete settled posts only",
        saw="it is gone, and its event with it",
        means="What MongoDB deletes takes the waiting event along, and nobody ever hears of that change.",
    )
    require(
        left == 2,
        "let one post expire; another has an hour left, a third no end",
        expected="both others still there",
        saw=f"{left} of 2",
        means="The TTL index belongs on expires_at, and on nothing else.",
    )

    def shown() -> set[str]:
        items = ada.http.get("/api/activity-stream/user").json()["items"]
        return {str(item["post_id"]) for item in items}

    eventually(
        lambda: not shown() & {str(ids["soon"]), str(ids["owing"])},
        within=4,
        what="the expired posts to leave the feed: the change stream needs them as they were"
        " (changeStreamPreAndPostImages)",
    )


def _until_settled(posts: Collection[dict[str, Any]], *ids: ObjectId) -> None:
    """Wait until the relay has published what these posts owed: then it leaves them alone."""
    wanted = {"_id": {"$in": [*ids]}, "settled": True}
    eventually(
        lambda: posts.count_documents(wanted) == len(ids), within=10, what="the posts' events to be published"
    )


@check(points=2)
def test_gone_posts_are_hidden(ada: Person) -> None:
    """Deleted and expired posts are in no list, and nobody can change them"""
    kept, deleted, expired = (
        ada.http.post("/api/posts", json={"title": title, "content": "c"}).json()["id"]
        for title in ("kept", "deleted", "expired")
    )
    with mongodb() as client:
        posts = client[POSTS][POSTS]

        def put(post: str, **fields: object) -> None:
            posts.update_one({"_id": ObjectId(post)}, {"$set": fields})

        _until_settled(posts, ObjectId(deleted), ObjectId(expired))
        put(deleted, deleted=True)
        put(expired, expires_at=datetime.now(UTC) - timedelta(hours=1), settled=False)
        try:
            page = ada.http.get("/api/posts", params={"user_id": ada.id}).json()
            front = ada.http.get("/api/posts", params={"limit": 100}).json()["items"]
            changed = [
                ada.http.put(f"/api/posts/{post}", json={"title": "changed"}).status_code
                for post in (deleted, expired)
            ]
        finally:
            put(deleted, deleted=False)
            put(expired, expires_at=None, settled=True)
    did = "let one of three posts be deleted and one expired, both still in MongoDB"
    seen = [post["title"] for post in page["items"]]
    everybodys = [post["title"] for post in front if post["user_id"] == ada.id]
    require(
        (seen, everybodys, page["total"]) == (["kept"], ["kept"], 1),
        f"{did}; read the author's list and everybody's",
        expected="the third one in both, and a total of 1",
        saw=f"{seen} and {everybodys}, total {page['total']}",
        means="A post that waits for its removal is gone for readers: visible() says which ones are left.",
    )
    require(
        changed == [404, 404],
        f"{did}; changed both",
        expected=[404, 404],
        saw=changed,
        means="Who changes what is gone brings it back.",
    )
    for post in (kept, deleted, expired):
        ada.http.delete(f"/api/posts/{post}")


def _deleted_by_ttl(client: Any) -> int:
    return int(client.admin.command("serverStatus")["metrics"]["ttl"]["deletedDocuments"])


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
            means="Somebody was quicker: read again, and apply the change to what is there now.",
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
            means="Write only if the version is still the one that you read, and only what you change.",
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
        means="Without a sort MongoDB gives any order it likes; today's luck is not a promise.",
    )
    part = ada.http.get("/api/posts", params={"user_id": ada.id, "limit": 4, "skip": 3}).json()
    figures = {name: part[name] for name in ("total", "limit", "skip")}
    require(
        [post["id"] for post in part["items"]] == wanted[3:7]
        and figures == {"total": 12, "limit": 4, "skip": 3},
        "asked for four of twelve posts (limit=4), without the first three (skip=3)",
        expected="posts 4 to 7, total 12, limit 4, skip 3",
        saw=f"places {[wanted.index(p['id']) + 1 for p in part['items'] if p['id'] in wanted]}, {figures}",
        means="`total` counts all that the query matches, whatever the page.",
    )
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
        means="Who counts from the front sees a post twice for each one that is added there.",
    )
    require(
        lengths == [4, 4, 4],
        did,
        expected="three pages of four, and `next` is null in the third",
        saw=f"pages of {lengths}",
        means="A full page may be the last one. Ask for one more than is shown: then you know.",
    )
    require(
        totals == [12, 14, 16],
        did,
        expected="total 12, 14 and 16",
        saw=totals,
        means="`total` counts all that the query matches, whatever the page.",
    )


@check(points=2)
@pytest.mark.disturbs
def test_connections_are_kept(ada: Person) -> None:
    """Sixty requests open a handful of connections"""
    ada.http.post("/api/profile", json={})
    login = {"email": ada.email, "password": ada.password}
    before = connections_opened()
    with http() as client:
        at_once(12, lambda n: [ada.http.get("/api/profile") for _ in range(5)])
        at_once(12, lambda n: [ada.http.get("/api/posts", params={"limit": 1}) for _ in range(5)])
        at_once(
            12, lambda n: [client.post(f"{ENDPOINTS['auth']}/api/auth/login", json=login) for _ in range(5)]
        )
    opened = {name: count - before[name] for name, count in connections_opened().items()}
    require(
        all(count <= 25 for count in opened.values()),
        "sixty requests to each of auth, profile and posts, twelve at a time",
        expected="at most 25 new connections to each database",
        saw=opened,
        means="A new connection costs more than the query, and PostgreSQL takes only a hundred.",
    )


@check(points=2)
@pytest.mark.disturbs
def test_cut_connections_heal(ada: Person) -> None:
    """When all connections to PostgreSQL are cut, nobody has to restart anything"""
    ada.http.post("/api/profile", json={})
    pids = {unit: backend.pid_of(unit) for unit in ("auth", "profile")}
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"  # noqa: E501
    for service in ("auth", "profile"):
        with postgresql(service) as connection:
            connection.execute(cut)
    login = {"email": ada.email, "password": ada.password}

    def healed() -> bool:
        with http() as client:
            entered = client.post(f"{ENDPOINTS['auth']}/api/auth/login", json=login).status_code
        return (entered, ada.http.get("/api/profile").status_code) == (200, 200)

    eventually(healed, within=5, what="auth and profile to answer after their connections were cut")
    new = [unit for unit, pid in pids.items() if backend.pid_of(unit) != pid]
    means = "A restart drops everybody's requests."
    require(not new, "cut all connections", expected="the same processes", saw=new, means=means)
