"""Mistakes of clients are refused, and the answer names the field."""

from datetime import UTC, datetime, timedelta

import pytest
from grading.outcome import require
from grading.people import Person, said
from grading.plugin import check

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
        did = f"POST {PATH} with {field} = {repr(value)[:20]}"
        problem(
            answer,
            422,
            did,
            field,
            "The model must refuse this value, and the answer must name the field: only then can a"
            " client correct it.",
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
