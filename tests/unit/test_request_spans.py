"""The span of a request, by FastAPI: our own spans, the event and the answer belong to it."""

import os
import subprocess
import sys

import orjson

from lab.home import PLATFORM

PROGRAM = """
import asyncio
import httpx
import orjson
from fastapi import APIRouter, Request
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from civildiy.chassis.app import create_service
from civildiy.chassis.observability import spans, telemetry, tracing
from civildiy.chassis.settings import ServiceSettings

telemetry.start("posts")
exporter = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
router = APIRouter(prefix="/api/posts")

@router.get("/{post_id}")
async def read(request: Request, post_id: str) -> dict[str, str]:
    with spans.store_span("mongodb", "find", "posts"):
        await asyncio.sleep(0)
    return {"event": tracing.continued_trace(request.headers.get("traceparent"))}

settings = ServiceSettings(service_host="x", consul_host="x", gateway_secret="x" * 20, auth_check_url="x")
app = create_service("posts", "/api/posts", settings, router=router, dependencies={}, drivers={},
                     lifespan=None, description="")

async def ask() -> list[dict[str, str]]:
    parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.get("/api/posts/7", headers={"traceparent": parent})
        await client.get("/health")
        other = await client.get("/api/posts/8", headers={"traceparent": parent[:-2] + "00"})
    found = [
        {"name": span.name, "id": trace.format_span_id(span.context.span_id),
         "parent": trace.format_span_id(span.parent.span_id),
         "route": (span.attributes or {}).get("http.route"),
         "trace": trace.format_trace_id(span.context.trace_id)}
        for span in exporter.get_finished_spans()
    ]
    return [*found, answer.json(), other.json()]

print(orjson.dumps(asyncio.run(ask())).decode())
"""


def test_a_request_is_a_span_with_our_spans_in_it() -> None:
    env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": str(PLATFORM)}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    *spans, answer, unrecorded = orjson.loads(ran.stdout)
    store, request = spans  # neither the question about health nor the request that is not recorded
    assert request["name"] == "GET /api/posts/{post_id}"
    assert request["route"] == "/api/posts/{post_id}"
    assert (request["trace"], request["parent"]) == ("a" * 32, "b" * 16)
    assert (store["name"], store["parent"], store["trace"]) == ("find posts", request["id"], "a" * 32)
    assert answer["event"].split("-")[1:3] == ["a" * 32, request["id"]]
    # Nobody records a span of this request, so its event names the caller's.
    assert unrecorded["event"] == f"00-{'a' * 32}-{'b' * 16}-00"
