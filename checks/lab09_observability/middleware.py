"""The learner's middleware around small applications, in a program beside the system."""

import json
from typing import Any

from grading.learner_process import beside

from lab.course.exercise import Exercise

MODULE = "civildiy.chassis.observability.metrics"
PROGRAM = """
import asyncio, json, time
from types import SimpleNamespace
from prometheus_client import CollectorRegistry
from civildiy.chassis.observability.metrics import RequestMetrics

registry = CollectorRegistry()

def samples():
    return [
        [sample.name, sample.labels, sample.value]
        for metric in registry.collect() for sample in metric.samples
        if not sample.name.endswith("_created")
    ]

async def application(scope, receive, send):
    await scope["act"](scope, receive, send)

# One object for all requests, as in a service.
middleware = RequestMetrics(application, registry)

def scope(method="GET", path="/", kind="http"):
    return {"type": kind, "method": method, "path": path, "headers": []}

def answer(status=200, route="", pause=0.0, chunks=(b"x",), first=None, later=0.0):
    async def app(scope, receive, send):
        if route:
            scope["route"] = SimpleNamespace(path=route)
        if first:
            await first()
        if pause:
            await asyncio.sleep(pause)
        await send({"type": "http.response.start", "status": status, "headers": [(b"a", b"b")]})
        await asyncio.sleep(later)
        for number, chunk in enumerate(chunks, 1):
            await send({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})
    return app

async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}

async def call(act, sent=None, **words):
    got = [] if sent is None else sent
    async def send(message):
        got.append(message)
    try:
        await middleware(scope(**words) | {"act": act}, receive, send)
    except BaseException as error:
        return type(error).__name__
    return [message["type"] for message in got]
"""


def run(lab: Exercise, rest: str) -> Any:
    """Run the program with `rest` at its end, and return what it says as JSON."""
    with beside(lab, "posts", PROGRAM + rest, only=(MODULE,)) as module:
        return json.loads(module.hear("your middleware to answer requests", within=30))


def total(samples: list[tuple[str, dict[str, str], float]], name: str, **labels: str) -> float:
    """Return the sum of all samples with this name and these labels."""
    wanted = labels.items()
    return sum(value for sample, found, value in samples if sample == name and wanted <= found.items())
