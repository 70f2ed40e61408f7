"""Profiles that several requests write at the same moment, and their text."""

import json

import pytest
from grading.databases import at_once, inserts_at_once, left_open, locked
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check

from lab05_databases.meanwhile import answered, nobody_else_waited
from lab05_databases.words import HOSTILE, nul_is_refused


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
        means="The unique column `user_id` decides. Catch its IntegrityError around `session.commit()` in"
        " `create` (profiles.py), and raise Conflict, which becomes 409.",
    )
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    kept = ada.http.get("/api/profile").json()
    means = (
        "A client that gets 201 relies on the profile that the answer shows. Look at `create` in profiles.py."
    )
    require(kept == winner, "read the profile", expected=winner, saw=kept, means=means)
    gone = [ada.http.delete("/api/profile").status_code, ada.http.get("/api/profile").status_code]
    gone += [ada.http.post("/api/profile", json={}).status_code]
    require(
        gone == [200, 404, 201],
        "deleted the profile, read it, and made another",
        expected=[200, 404, 201],
        saw=gone,
        means="A deleted profile must be gone, and the user can create a new one. Look at `delete` in"
        " profiles.py.",
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
            means="Another request was faster (StaleDataError). Read the row again in a new session, and"
            " set the fields again. Look at `update` in profiles.py.",
        )
        accepted = {f: f"{n} {turn}" for n, f in enumerate(fields) if answers[n].status_code == 200}
        profile = ada.http.get("/api/profile").json()
        lost = [field for field, value in accepted.items() if profile[field] != value]
        require(
            accepted and not lost,
            "changed eight fields of one profile at once",
            expected="every change that was answered 200 in the profile",
            saw=f"lost: {', '.join(lost) or 'none'}; accepted: {len(accepted)}",
            means="A request wrote back values that it had read before another change. `__mapper_args__`"
            " with `version_id_col` makes SQLAlchemy refuse such a write; and `update` sets only the fields"
            " in `changes`. Look at profiles.py.",
        )


@check(points=1)
def test_profile_words(ada: Person) -> None:
    """Any text comes back from a profile unchanged, or is refused with the name of its field"""
    ada.http.post("/api/profile", json={})
    for kind, words in HOSTILE.items():
        sent = {"bio": words, "city": words, "preferences": {words: [words, {"a.b": None}]}}
        answer = ada.http.put("/api/profile", json=sent)
        kept = ada.http.get("/api/profile").json()
        found = {name: kept[name] for name in sent}
        # Preferences that were there before belong to test_each_value_is_written.
        found["preferences"] = {
            name: kept["preferences"][name] for name in kept["preferences"] if name == words
        }
        require(
            answer.status_code == 200 and found == sent,
            f"kept words that hold {kind} in a profile",
            expected=sent,
            saw=said(answer) if answer.status_code != 200 else found,
            means="The text came back changed. Text is data: pass it on as it is. Look at `create` and"
            " `update` in profiles.py.",
        )
    nul_is_refused(ada, "PUT", "/api/profile", "bio")


@check(points=1)
def test_each_value_is_written(ada: Person) -> None:
    """A PUT replaces what was stored, also if the new value is shorter or only has another JSON type"""
    ada.http.post("/api/profile", json={"bio": "a long text", "preferences": {"on": 0, "off": {"a": 1}}})
    _as_a_whole(ada)
    for value in (True, 1, 1.5, False, 0, None, "0", [1], [True], {"a": [0]}, {"a": [False]}):
        did = f"changed the preferences to {json.dumps({'on': value})}, and read the profile"
        answer = ada.http.put("/api/profile", json={"preferences": {"on": value}})
        kept = ada.http.get("/api/profile").json()
        require(
            json.dumps(kept["preferences"]) == json.dumps({"on": value}),
            did,
            expected=json.dumps({"on": value}),
            saw=json.dumps(kept["preferences"]),
            means="The change was answered 200 and not written. In Python 1 == True and 0 == False, but JSON"
            " tells them apart, so `==` cannot decide whether a value has changed. Set each field in"
            " `changes`, whatever it was before. Look at `update` in profiles.py.",
        )
        shown = answer.json()
        require(
            shown == kept,
            did,
            expected="the profile that the PUT answered",
            saw={name: f"{kept[name]}, answered {shown[name]}" for name in kept if kept[name] != shown[name]},
            means="PostgreSQL sets `updated_at` when the change is written, so an answer that is made before"
            " the commit shows an old time. Call `_as_profile(row)` after `session.commit()`. Look at"
            " `update` in profiles.py.",
        )


def _as_a_whole(person: Person) -> None:
    """The value that was sent takes the place of the old one; nothing of that stays."""
    changes: tuple[dict[str, object], ...] = (
        {"preferences": {"off": {"b": 2}}}, {"preferences": {"on": [2]}}, {"preferences": {"on": []}},
        {"preferences": {}}, {"bio": "a long"}, {"bio": ""}, {"preferences": {"on": 1}},
    )  # fmt: skip
    for sent in changes:
        before = person.http.get("/api/profile").json()
        shown = person.http.put("/api/profile", json=sent).json()
        kept = person.http.get("/api/profile").json()
        (name,) = sent
        require(
            shown.get(name) == kept[name] == sent[name],
            f"changed {name} from {json.dumps(before[name])} to {json.dumps(sent[name])}, and read it",
            expected=f"{json.dumps(sent[name])}, in the answer and in the profile",
            saw=f"answered {json.dumps(shown.get(name))}, stored {json.dumps(kept[name])}",
            means="A part of the old value stays, so a user can never remove it. A field in `changes` holds"
            " the whole new value: `setattr(row, name, value)` replaces the old one. It merges nothing, and"
            " it treats an empty value like any other. Look at `update` in profiles.py.",
        )


@check(points=2)
def test_profile_deleted_once(ada: Person) -> None:
    """Of ten deletes of one profile at the same moment one succeeds, the others find nothing"""
    ada.http.post("/api/profile", json={})
    answers = inserts_at_once("profile", "user_profiles", 10, lambda _: ada.http.delete("/api/profile"))
    seen = sorted(answer.status_code for answer in answers)
    require(
        seen == [200] + [404] * 9,
        "deleted one profile ten times at once",
        expected="one 200 and nine 404",
        saw={status: seen.count(status) for status in seen},
        means="Another request removed the row between your read and your delete: SQLAlchemy raises"
        " StaleDataError. Read again; then the profile is not there, which is 404. Look at `delete` in"
        " profiles.py.",
    )


@check(points=1)
def test_profile_refusals_keep_no_connection(ada: Person, bob: Person) -> None:
    """Refused requests about profiles give their connection back"""
    ada.http.post("/api/profile", json={})
    for what, ask, wanted in (
        ("a second profile", lambda: ada.http.post("/api/profile", json={}), 409),
        ("a profile that is not there", lambda: bob.http.get("/api/profile"), 404),
        ("a change of a profile that is not there", lambda: bob.http.put("/api/profile", json={}), 404),
        ("the removal of a profile that is not there", lambda: bob.http.delete("/api/profile"), 404),
    ):
        seen = [ask().status_code for _ in range(10)]  # type: ignore[no-untyped-call]
        still_open = left_open("profile")
        require(
            seen == [wanted] * 10 and still_open == 0,
            f"asked ten times, one after the other, for {what}",
            expected=f"ten times {wanted}, and no connection left in an open transaction",
            saw=f"{seen}; {still_open} connections with an open transaction",
            means="The session of a refused request stays open and keeps its connection. The pool has eight;"
            " then all requests get 503. Use `async with self._session() as session` in each function of"
            " profiles.py, so that errors close it as well.",
        )


@check(points=1)
@pytest.mark.disturbs
def test_profile_without_database(ada: Person, bob: Person) -> None:
    """While PostgreSQL cannot answer, requests about profiles get 503, not 404 or 409"""
    ada.http.post("/api/profile", json={})
    with locked("profile", "user_profiles"):
        calls = {
            "POST": lambda: bob.http.post("/api/profile", json={}),
            "GET": lambda: ada.http.get("/api/profile"),
            "PUT": lambda: ada.http.put("/api/profile", json={"city": "Bern"}),
            "DELETE": lambda: ada.http.delete("/api/profile"),
        }
        answers, slowest = answered("profile", [*calls.values()])
    seen = dict(zip(calls, answers, strict=True))
    did = (
        "locked the table user_profiles, so that PostgreSQL ends each statement after 4 s, and sent one"
        " request"
        " of each kind"
    )
    nobody_else_waited("profile", slowest, did, "profiles.py")
    require(
        set(answers) == {503},
        did,
        expected="503 for each",
        saw=seen,
        means="Your code takes every error for one particular error. Catch only IntegrityError in"
        " `create`, and"
        " only StaleDataError in `update` and `delete` of profiles.py; all others become 503 by themselves.",
    )
