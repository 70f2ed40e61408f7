"""What clients get wrong is refused, and named."""

from datetime import UTC, datetime, timedelta

import pytest
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check

from lab01_services.service import PATH, made, problem

LATER = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()


@check(points=2)
def test_unknown_fields_are_refused(ada: Person) -> None:
    """A field that nobody knows is refused by its name"""
    for method in ("POST", "PUT"):
        answer = ada.http.request(method, PATH, json={"frist_name": "Ada"})
        did = f"{method} {PATH} with the mistyped field 'frist_name'"
        means = "A field that is dropped without a word looks stored to the client."
        problem(answer, 422, did, "frist_name", means)
        if method == "POST":
            made(ada)


@check(points=2)
@pytest.mark.parametrize(
    ("field", "values"),
    [("first_name", [7]), ("city", ["x" * 101]), ("dob", [0, "631152000"]), ("dob", ["1500-01-01", LATER]),
     ("dob", ["31.12.1990", "1990-02-31", ""]), ("preferences", [[]]), ("bio", ["a\x00b"])],
    ids=["number", "long", "timestamp", "past", "format", "list", "nul"],
)  # fmt: skip
def test_bad_field_is_named(ada: Person, field: str, values: list[object]) -> None:
    """A field that cannot be taken is answered 422 and named"""
    for value in values:
        answer = ada.http.post(PATH, json={field: value})
        did = f"POST {PATH} with {field} = {str(value)[:20]!r}"
        problem(answer, 422, did, field, "A client can only correct the field that the answer names.")


@check(points=2)
def test_dates_at_the_edges(ada: Person) -> None:
    """Dates of birth from 1900 to today are stored as they came; others, and other forms, are refused"""
    today = datetime.now(UTC).date()
    made(ada)
    for good in ("1900-01-01", today.isoformat(), "2000-02-29", "1990-12-31", None):
        answer = ada.http.put(PATH, json={"dob": good})
        did = f"PUT {PATH} with dob = {good!r}"
        means = (
            "This date of birth lies between 1900-01-01 and today (or is empty): it must be accepted,"
            " and stored as it is."
        )
        require(answer.status_code == 200, did, expected="200", saw=said(answer), means=means)
        stored = ada.http.get(PATH).json()["dob"]
        require(stored == good, did, expected=f"{good!r} to be stored", saw=repr(stored), means=VALIDATOR)
    far = (today + timedelta(days=2)).isoformat()
    means = (
        "`_plausible` must refuse a date before 1900-01-01 or after today, by a day as well as by a century."
    )
    for bad in ("1899-12-31", far):
        problem(ada.http.put(PATH, json={"dob": bad}), 422, f"PUT {PATH} with dob = {bad!r}", "dob", means)
    means = (
        "`_iso_date` must take null and text of exactly the form 1990-12-31, and nothing else: the"
        " whole value must match."
    )
    for odd in ("1990-12-31T00:00:00", "1990-12-31\n", " 1990-12-31", "19901231", "1990-1-1", "2001-02-29",
                "\u0661990-12-31", False, True, 19901231, 1.5, ["1990-12-31"], {"year": 1990}):  # fmt: skip
        problem(ada.http.put(PATH, json={"dob": odd}), 422, f"PUT {PATH} with dob = {odd!r}", "dob", means)


VALIDATOR = (
    "A validator returns the value that is stored. `_plausible` and `_iso_date` must return what"
    " they were given."
)


@check(points=1)
def test_nothing_is_a_500(ada: Person) -> None:
    """Garbage is answered with 4xx, never with 500"""
    made(ada)
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"a":' * 500,
        b'{"preferences": {"a": NaN}}',
    ):
        for method in ("POST", "PUT"):
            headers = {"Content-Type": "application/json"}
            answer = ada.http.request(method, PATH, content=body, headers=headers)
            require(
                400 <= answer.status_code < 500,
                f"{method} {PATH} with the body {body[:20]!r}",
                expected="an answer from 400 to 499",
                saw=said(answer),
                means="A 5xx says that the service is broken; here the client is.",
            )
