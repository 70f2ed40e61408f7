"""Mistakes of clients are refused, and the answer names the field."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from grading.learner_process import beside
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check

from lab.course.exercise import Exercise
from lab01_services.service import PATH, made, problem

LATER = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()


@check(points=2)
def test_unknown_fields_are_refused(ada: Person) -> None:
    """An unknown field is refused with 422, and the answer names it"""
    for method in ("POST", "PUT"):
        answer = ada.http.request(method, PATH, json={"frist_name": "Ada"})
        did = f"{method} {PATH} with the mistyped field 'frist_name'"
        means = (
            "`model_config` must forbid unknown fields. A field that is dropped without an error"
            " looks stored to the client."
        )
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
    """A field with a bad value is refused with 422, and the answer names it"""
    for value in values:
        answer = ada.http.post(PATH, json={field: value})
        did = f"POST {PATH} with {field} = {str(value)[:20]!r}"
        problem(
            answer,
            422,
            did,
            field,
            "The model must refuse this value, and the answer must name the field: only then can a"
            " client correct it.",
        )


@check(points=2)
def test_dates_at_the_edges(ada: Person, lab: Exercise) -> None:
    """Dates of birth from 1900 to tomorrow are stored as they came; others, and other forms, are refused"""
    today = datetime.now(UTC).date()
    made(ada)
    tomorrow = (today + timedelta(days=1)).isoformat()
    for good in ("1900-01-01", today.isoformat(), tomorrow, "2000-02-29", "1990-12-31", None):
        answer = ada.http.put(PATH, json={"dob": good})
        did = f"PUT {PATH} with dob = {good!r}"
        means = (
            "This date of birth lies between 1900-01-01 and tomorrow, which has already begun somewhere on"
            " Earth, or it is empty. `_iso_date` and `_plausible` must accept it."
        )
        require(answer.status_code == 200, did, expected="200", saw=said(answer), means=means)
        stored = ada.http.get(PATH).json()["dob"]
        require(stored == good, did, expected=f"{good!r} to be stored", saw=repr(stored), means=VALIDATOR)
    far = (today + timedelta(days=2)).isoformat()
    means = "`_plausible` must refuse a date before 1900-01-01 or after tomorrow, be it by one day only."
    for bad in ("1899-12-31", far):
        problem(ada.http.put(PATH, json={"dob": bad}), 422, f"PUT {PATH} with dob = {bad!r}", "dob", means)
    means = (
        "`_iso_date` must take null and text of exactly the form 1990-12-31, and nothing else: the"
        " whole value must match."
    )
    for odd in ("1990-12-31T00:00:00", "1990-12-31\n", " 1990-12-31", "19901231", "1990-1-1", "2001-02-29",
                "\u0661990-12-31", False, True, 19901231, 1.5, ["1990-12-31"], {"year": 1990}):  # fmt: skip
        problem(ada.http.put(PATH, json={"dob": odd}), 422, f"PUT {PATH} with dob = {odd!r}", "dob", means)

    _ten_days_later(lab)


LATER_PROGRAM = """
import datetime, json, types
import civildiy.profile.schemas as schemas
shift = datetime.timedelta(days=10)
class Date(datetime.date):
    @classmethod
    def today(cls):
        return datetime.date.today() + shift
class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + shift
    @classmethod
    def today(cls):
        return datetime.datetime.today() + shift
later = types.ModuleType("datetime")
later.__dict__.update({**vars(datetime), "date": Date, "datetime": Datetime})
instead = {id(datetime): later, id(datetime.date): Date, id(datetime.datetime): Datetime}
for name, value in list(vars(schemas).items()):
    if id(value) in instead:
        setattr(schemas, name, instead[id(value)])
def accepted(days):
    day = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)).isoformat()
    try:
        return str(schemas.ProfileInput(dob=day).dob) == day
    except ValueError:
        return False
say(json.dumps([accepted(10), accepted(12)]))
"""


def _ten_days_later(lab: Exercise) -> None:
    """The module after ten days of running: its tomorrow is another day."""
    with beside(lab, "profile", LATER_PROGRAM, only=("civildiy.profile.schemas",)) as module:
        found = json.loads(module.hear("ProfileInput to be made beside the system", 20))
    require(
        found == [True, False],
        "imported your schemas.py beside the system, set its clock ten days forward, gave it that day",
        expected="this day to be accepted, and the day two days after it to be refused",
        saw=" and ".join(f"{'accepted' if one else 'refused'}" for one in found),
        means="The latest date was computed once, when the module was imported. A service runs for weeks, so"
        " `_plausible` must call `_tomorrow()` at each call.",
    )


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
                means="A 5xx reports a fault of the service. Here the client sent a bad body, so the"
                " answer must be a 4xx.",
            )
