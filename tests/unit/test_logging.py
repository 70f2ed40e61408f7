"""Log lines have the fields by which they are found, and a request's ids are the request's own."""

import asyncio
import json
import logging
import sys
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from structlog.contextvars import clear_contextvars

from civildiy.chassis.handlers import install_problem_handlers
from civildiy.chassis.observability.context import RequestContext
from civildiy.chassis.observability.logging import LogSettings, formatter
from civildiy.chassis.observability.tracing import continued_trace, trace_id
from civildiy.chassis.resources import Resources

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def no_context() -> None:
    clear_contextvars()


def record(message: str = "hello %s", *values: object, error: bool = False) -> logging.LogRecord:
    exc_info: Any = sys.exc_info() if error else None
    return logging.LogRecord("civildiy.posts", logging.WARNING, "f", 1, message, values, exc_info)


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = formatter("json", "posts").format(made)
    assert "\n" not in line
    read: dict[str, Any] = json.loads(line)
    return read


def test_a_json_line_has_all_fields() -> None:
    line = as_json(record("hello %s", "you"))
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "hello you", "level": "warning", "logger": "civildiy.posts", "unit": "posts"}


def test_a_traceback_is_one_field() -> None:
    try:
        raise ValueError("a mistake")
    except ValueError:
        line = as_json(record("failed", error=True))
    assert line["exception"].splitlines()[-1] == "ValueError: a mistake"


def test_a_console_line_reads_from_left_to_right() -> None:
    line = formatter("console", "posts").format(record("hello %s", "you"))
    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    assert rest.startswith("[warning")
    assert "hello you" in rest
    assert "unit=posts" in rest
    assert "\x1b" not in line


def test_half_a_surrogate_pair_does_not_break_a_line() -> None:
    assert as_json(record("\ud800 %s", "\ud800"))["event"] == "? ?"


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(ValidationError, match="console"):
        LogSettings()


async def answers(*headers: dict[str, str]) -> list[tuple[httpx.Response, dict[str, Any]]]:
    """Send requests at the same time; returns each answer with the line that the endpoint logged."""
    app = FastAPI()

    @app.get("/")
    async def endpoint() -> dict[str, Any]:
        await asyncio.sleep(0)  # the requests take turns
        return as_json(record("asked"))

    app.add_middleware(RequestContext)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        found = await asyncio.gather(*(client.get("/", headers=sent) for sent in headers))
    return [(answer, answer.json()) for answer in found]


def test_lines_and_answers_carry_the_ids_of_their_own_request() -> None:
    sent = [{"X-Request-Id": f"mine-{number}", "traceparent": PARENT} for number in range(3)]
    found = asyncio.run(answers(*sent))
    assert [line["request_id"] for _, line in found] == ["mine-0", "mine-1", "mine-2"]
    assert [answer.headers["X-Request-Id"] for answer, _ in found] == ["mine-0", "mine-1", "mine-2"]
    assert {line["trace_id"] for _, line in found} == {TRACE}


def test_an_unexpected_error_is_answered_with_the_id_by_which_its_log_is_found() -> None:
    async def answer() -> httpx.Response:
        app = FastAPI()

        @app.get("/")
        async def endpoint() -> None:
            raise ZeroDivisionError

        install_problem_handlers(app, {}, Resources(app.routes))
        app.add_middleware(RequestContext)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get("/", headers={"X-Request-Id": "mine"})

    answered = asyncio.run(answer())
    assert answered.status_code == 500
    assert answered.headers.get_list("X-Request-Id") == ["mine"]


@pytest.mark.parametrize("unusable", ["", "a b", "x" * 65, "a;b"])
def test_an_unusable_id_is_replaced(unusable: str) -> None:
    ((answer, line),) = asyncio.run(answers({"X-Request-Id": unusable, "traceparent": "00-zz"}))
    assert answer.headers["X-Request-Id"] == line["request_id"] != unusable
    assert len(line["request_id"]) == 16
    assert "trace_id" not in line


def test_the_trace_id_is_that_of_a_valid_traceparent() -> None:
    assert trace_id(PARENT) == TRACE == trace_id(continued_trace(PARENT))
    assert trace_id("00-" + "0" * 32 + "-b7ad6b7169203331-01") == ""
