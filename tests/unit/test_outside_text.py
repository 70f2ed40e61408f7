"""Text from outside: it is shortened, made visible, and has only one meaning."""

import doctest
import json
import logging
import re
import time
from http import HTTPStatus

import pytest

from civildiy.chassis import strings, text
from civildiy.chassis.errors import FieldError
from civildiy.chassis.media import Malformed, Unsupported, require_i_json, require_json
from civildiy.chassis.observability.logging import formatter
from civildiy.chassis.problems import problem_body
from civildiy.chassis.strings import spellings
from civildiy.chassis.text import SHOWN, json_bytes, parsed_json, shortened, storable_json

MEGABYTE = "x" * 1_000_000


@pytest.mark.parametrize("module", [strings, text])
def test_examples(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_at_the_edge() -> None:
    assert shortened("x" * SHOWN) == "x" * SHOWN
    assert shortened("x" * (SHOWN + 1)) == "x" * SHOWN + f"\u2026 ({SHOWN + 1} characters)"


@pytest.mark.parametrize("hidden", ["\n", "\r", "\x1b", "\x00", "\u202e", "\u2028", "\u200b", "\x85"])
def test_what_cannot_be_seen_is_shown(hidden: str) -> None:
    assert hidden not in shortened(f"a{hidden}b")
    assert len(shortened(hidden * 80)) < 600


def test_a_problem_does_not_grow() -> None:
    errors = [FieldError(field=MEGABYTE, message=MEGABYTE)]
    body = problem_body(HTTPStatus.BAD_REQUEST, MEGABYTE, f"/{MEGABYTE}", errors)
    assert len(body) < 2000


def test_a_log_line_is_one_line() -> None:
    def line(message: str, *values: object) -> str:
        return formatter("console", "unit").format(
            logging.LogRecord("a", logging.INFO, "f", 1, message, values, None)
        )

    assert "\n" not in line("failed: %s", "one\n2026-01-01 INFO two\r\x1b[2J")
    assert len(line("failed: %s", MEGABYTE)) < 1200


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError(MEGABYTE + "\x1b[2J")
    except ValueError as error:
        made = logging.LogRecord(
            "a", logging.ERROR, "f", 1, "m", (), (type(error), error, error.__traceback__)
        )
        shown = formatter("console", "unit").format(made)
    assert len(shown.splitlines()) >= 4
    assert len(shown) < 3000


def declared(**headers: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def test_no_body_needs_no_type() -> None:
    require_json([])
    require_json(declared(content_length="0"))
    for headers in (declared(content_length="1"), declared(transfer_encoding="chunked")):
        with pytest.raises(Unsupported, match="no such header"):
            require_json(headers)


def test_two_types_are_none() -> None:
    twice = declared(content_type="application/json") * 2
    with pytest.raises(Unsupported):
        require_json(twice)


@pytest.mark.parametrize(
    "body",
    ["", "[]", "null", '{"a": {"a": 1}}', '[{"a": 1}, {"a": 1}]', "[" * 100 + "]" * 100, "\ufeff{}",
     '"' + "[" * 999 + '\\""', "[[],[]" + ",[]" * 200 + "]"],
)  # fmt: skip
def test_json_with_one_meaning_passes(body: str) -> None:
    require_i_json(body.encode())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('{"a":1,"a":1}', "'a' stands twice"), ('[[{"b":{"a":1,"\\u0061":2}}]]', "'a' stands twice"),
        ("NaN", "NaN"), ("[Infinity]", "Infinity"), ("{", "line 1, column 2"), ("\x00", "not valid JSON"),
        (" \n", "not valid JSON"), ('{"a": 1,\n"b" 2}', "line 2, column 5"), ("9" * 5000, "64 bits"),
        ("[" * 101 + "]" * 101, "100 levels"), ("[" * 9999, "100 levels"), ('{"a":' * 9999, "100 levels"),
    ],
)  # fmt: skip
def test_malformed_json_is_named(body: str, word: str) -> None:
    with pytest.raises(Malformed, match=re.escape(word)) as caught:
        require_i_json(body.encode())
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_named(encoding: str) -> None:
    with pytest.raises(Malformed, match=r"not UTF-8|not valid JSON"):
        require_i_json('{"a": "é"}'.encode(encoding))


def test_brackets_are_counted_in_linear_time() -> None:
    began = time.process_time()
    with pytest.raises(Malformed):
        require_i_json(b'"' + b'\\"' * 400_000 + b"[" * 101)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "number", [2**63 - 1, -(2**63) + 1, 2**64, 10**22, 10**308, 18446744073709552000, int(1.7e308)]
)
def test_numbers_that_come_back(number: int) -> None:
    assert storable_json({"a": [number]}) == {"a": [number]}


@pytest.mark.parametrize("number", [2**64 + 1, 10**309, 10**22 + 1, float("inf"), float("nan")])
def test_numbers_that_would_not(number: float) -> None:
    with pytest.raises(ValueError, match="must not hold"):
        storable_json({"a": [number]})


def test_one_hash_for_a_password_in_ascii() -> None:
    assert spellings("plain ascii") == ["plain ascii"]
    assert len(spellings("cafe\u0301\u00a0")) == 3
    assert json.dumps(spellings("\u00e9")) == json.dumps(["\u00e9", "e\u0301"])


@pytest.mark.parametrize("number", [1e308, 1e18, 1e16, 1e300, 2.0**64])
def test_what_was_stored_is_as_long_as_what_was_sent(number: float) -> None:
    """PostgreSQL writes a double as an integer with up to 309 digits."""
    sent = {"numbers": [number] * 1000}
    written = f'{{"numbers": [{", ".join([str(int(number))] * 1000)}]}}'
    read = parsed_json(written)
    assert read == sent
    assert json_bytes(read) == json_bytes(sent) == len(json.dumps(sent))
    assert len(json.dumps(read)) <= 4 * len(json.dumps(sent))
    assert storable_json(read) == sent


@pytest.mark.parametrize("written", ["1", "true", "9223372036854775807", "1.5", '"1e22"', "null", "-0.0"])
def test_other_values_are_read_as_they_were_written(written: str) -> None:
    assert json.dumps(parsed_json(written)) == written
