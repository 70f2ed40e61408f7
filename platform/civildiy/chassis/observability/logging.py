"""Structured logs of all units, by structlog: one line for each event, as text or as JSON.

Each line has the time in UTC, the level, the unit, the module and the message. A line that is written while a
service answers a request also has the id of the request and its trace id, so all lines about one request can
be found in the logs of all services (`civildiy.chassis.observability.context`).

Our modules log with Python's own `logging`, as every library does, and structlog renders the records of both.
Source: https://www.structlog.org/en/stable/standard-library.html#rendering-using-structlog-based-formatters
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import orjson
import structlog
from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, SettingsConfigDict
from structlog.typing import EventDict, Processor, WrappedLogger

from civildiy.chassis.observability.telemetry import log_processors
from civildiy.chassis.text import shortened

MOST_CHARACTERS = 1000
"""Length of one message or of one line of a traceback: a driver may repeat a whole request in its error."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class LogSettings(BaseSettings):
    """How a unit writes its log."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
    ] = "INFO"
    log_format: Literal["console", "json"] = "console"
    """`console` is for people; `json` is for a system that collects the logs."""


def configure_logging(settings: LogSettings, unit: str) -> None:
    """Send all logs of this process to stderr. The supervisor or the container engine keeps them."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings.log_format, unit, log_processors()))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # kafka-python logs an error for each refused connection; our modules log once that Kafka does not answer.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    # Only the coordinator's log says why a member was removed from its group.
    logging.getLogger("kafka.coordinator").setLevel(logging.ERROR)
    # These clients log every request at INFO.
    for noisy in ("httpx", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def formatter(log_format: str, unit: str, also: Sequence[Processor] = ()) -> logging.Formatter:
    """Return the formatter that renders every record of this process; `also` adds fields to each line."""
    enrich: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        *also,
        partial(_add_unit, unit),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _limit_length,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=enrich,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(log_format)],
    )


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(serializer=_as_json)
    # `plain_traceback`: otherwise the format would depend on whether the package rich is installed.
    return structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )


def _as_json(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=repr).decode()


def _add_unit(unit: str, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["unit"] = unit
    return event


def _limit_length(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Keep a message on one line and the lines of a traceback short: the last ones repeat the error."""
    event["event"] = shortened(event["event"], MOST_CHARACTERS)
    if "exception" in event:
        lines = event["exception"].split("\n")
        event["exception"] = "\n".join(shortened(line, MOST_CHARACTERS) for line in lines)
    return event
