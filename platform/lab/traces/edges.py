"""The edges of a trace: which unit called which. They are compared with the table in topology.toml."""

from lab.traces.jaeger import Span, Trace

Edge = tuple[str, str]


def edges(trace: Trace) -> set[Edge]:
    """Return the pairs (caller, callee) that the trace shows, servers included.

    A span whose parent belongs to another unit shows that this unit was called. A server makes no spans: the
    span of its client names it.
    """
    by_id = {span.id: span for span in trace.spans}
    found: set[Edge] = set()
    for span in trace.spans:
        parent = by_id.get(span.parent)
        if parent is not None and parent.unit != span.unit:
            found.add((parent.unit, span.unit))
        if server := _server(span):
            found.add((span.unit, server))
    return found


def _server(span: Span) -> str:
    """Return the server that a client's span called; '' for other spans."""
    if span.attributes.get("span.kind") == "producer":
        return str(span.attributes.get("messaging.system", ""))
    if span.attributes.get("span.kind") == "client":
        return str(span.attributes.get("db.system.name", ""))
    return ""
