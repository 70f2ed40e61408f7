"""The learner's spans in a program beside the system, with a recorder in place of the collector."""

import json
from typing import Any

from grading.learner_process import beside

from lab.course.exercise import Exercise

SPANS = "civildiy.chassis.observability.spans"
PROPAGATION = "civildiy.chassis.observability.propagation"
PROGRAM = """
import asyncio, json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

recorder = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(recorder))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("check")

def shown(span):
    context, parent = span.get_span_context(), span.parent
    return {
        "name": span.name, "kind": span.kind.name.lower(), "trace": f"{context.trace_id:032x}",
        "id": f"{context.span_id:016x}", "parent": f"{parent.span_id:016x}" if parent else "",
        "attributes": dict(span.attributes), "status": span.status.status_code.name,
        "said": f"{span.status.description or ''} {[dict(event.attributes) for event in span.events] or ''}",
        "ms": ((span.end_time or span.start_time) - span.start_time) / 1e6,
    }

def recorded():
    found = [shown(span) for span in recorder.get_finished_spans()]
    recorder.clear()
    return found

def foreign(flags, trace_id=0x0af7651916cd43dd8448eb211c80319c, span_id=0x00f067aa0ba902b7):
    return NonRecordingSpan(SpanContext(trace_id, span_id, True, TraceFlags(flags)))
"""


def run(lab: Exercise, rest: str, *modules: str, what: str) -> Any:
    """Run the program with `rest` at its end, and return what it says as JSON."""
    with beside(lab, "posts", PROGRAM + rest, only=modules) as module:
        return json.loads(module.hear(what, within=20))
