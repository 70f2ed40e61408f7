"""One request is one trace, with every edge of the topology, whatever happens between its parts."""

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from feed_tools import run
from support import ENDPOINTS, Person, backend, client, eventually, stopped, until_healthy

from civildiy.chassis.clients.kafka import producer
from civildiy.contracts.posts.envelope import DEAD_LETTER_TOPIC
from lab import topology
from lab.commands.observe import find
from lab.home import REPO
from lab.traces.edges import edges
from lab.traces.jaeger import Jaeger, Trace
from lab.traces.waterfall import WIDTH


def traceparent() -> tuple[str, dict[str, str]]:
    """Return a new trace id, and the header with which a client begins that trace."""
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}


def written(person: Person) -> tuple[str, str]:
    """Write a post in a trace of its own; return the ids of both."""
    trace, header = traceparent()
    answer = person.http.post("/api/posts", json={"title": "t", "content": "c"}, headers=header)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"]), trace


def when(jaeger: Jaeger, trace: str, ready: Callable[[Trace], object], within: float = 20) -> Trace:
    """Wait until the trace is as wanted, and return it."""

    def look() -> Trace | None:
        found = jaeger.trace(trace)
        return found if found is not None and ready(found) else None

    found = eventually(look, within=within, what=f"the trace {trace}")
    assert found is not None
    return found


def whole(kind: str) -> Callable[[Trace], bool]:
    return lambda trace: topology.TRACE_EDGES[kind] <= edges(trace)


def test_one_post_is_one_trace_with_every_edge(jaeger: Jaeger) -> None:
    post, trace = written(Person())
    found = when(jaeger, trace, whole("post"))
    gateway = [span for span in found.roots() if span.unit == "traefik"]
    assert len(gateway) == len(found.roots()) == 1
    assert not [span for span in found.spans if span.failed]
    newest = find(jaeger, post)
    assert newest is not None
    assert newest.id == trace
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "lab", "trace", post],
        cwd=REPO, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert shown[0].startswith(f"trace {trace}: {len(found.spans)} spans")
    assert max(map(len, shown)) <= WIDTH


@pytest.mark.parametrize("kind", ["read", "login", "profile"])
def test_other_requests_leave_their_edges(jaeger: Jaeger, kind: str) -> None:
    person, (trace, header) = Person(), traceparent()
    login = {"email": person.email, "password": person.password}
    requests: dict[str, Callable[[], httpx.Response]] = {
        "read": lambda: person.http.get("/api/activity-stream", headers=header),
        "login": lambda: person.http.post("/api/auth/login", json=login, headers=header),
        "profile": lambda: person.http.post("/api/profile", json={"first_name": "Ada"}, headers=header),
    }
    assert requests[kind]().status_code < 300
    when(jaeger, trace, whole(kind))


@pytest.mark.fault
def test_a_trace_survives_an_outage_of_kafka(jaeger: Jaeger) -> None:
    person = Person()
    with stopped("kafka"):
        _, trace = written(person)
        first = when(jaeger, trace, lambda found: ("posts", "mongodb") in edges(found))
        assert "feed-projector" not in {span.unit for span in first.spans}
    until_healthy()
    found = when(jaeger, trace, whole("post"), within=60)
    assert len(found.roots()) == 1


@pytest.mark.fault
def test_a_trace_survives_the_death_of_the_relay(jaeger: Jaeger) -> None:
    person = Person()
    backend.freeze("posts-relay")
    try:
        _, trace = written(person)
    finally:
        # In this order: a relay that runs for a moment publishes the event, and its spans die with it.
        backend.signal("posts-relay", signal.SIGKILL)
        backend.thaw("posts-relay")
    until_healthy()
    when(jaeger, trace, whole("post"), within=60)


def test_a_redriven_letter_continues_its_trace(jaeger: Jaeger) -> None:
    """A poison event is dead-lettered in the trace of its request, and sent back in the same trace."""
    trace, header = traceparent()
    poison = b'{"specversion":"1.0","traceparent":"%b","schemaversion":99}' % header["traceparent"].encode()
    log = producer(ENDPOINTS["kafka"])
    log.send(DEAD_LETTER_TOPIC, key=b"f" * 24, value=poison).get(10)
    log.close()
    run("feed-redrive", code=None)
    found = when(
        jaeger, trace, lambda seen: {"feed-redrive", "feed-projector"} <= {s.unit for s in seen.spans}
    )
    names = {(span.unit, span.name) for span in found.spans}
    assert ("feed-redrive", "send posts-events") in names
    assert ("feed-projector", f"send {DEAD_LETTER_TOPIC}") in names


def test_a_rebuild_makes_no_spans(jaeger: Jaeger) -> None:
    Person().post()
    run("feed-rebuild", code=0)
    assert "feed-rebuild" not in jaeger.units()


def test_the_decision_of_the_caller_is_followed(jaeger: Jaeger) -> None:
    person, trace = Person(), secrets.token_hex(16)
    header = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-00"}
    answer = person.http.post("/api/posts", json={"title": "t", "content": "c"}, headers=header)
    assert answer.status_code == 201
    _, recorded = written(person)
    when(jaeger, recorded, whole("post"))  # by now the other one would be there as well
    assert jaeger.trace(trace) is None


def test_questions_about_health_leave_no_trace_in_the_services(jaeger: Jaeger) -> None:
    trace, header = traceparent()
    with client() as http:
        assert http.get("/api/posts/health", headers=header).status_code == 200
    _, recorded = written(Person())
    when(jaeger, recorded, whole("post"))
    seen = jaeger.trace(trace)
    assert seen is None or {span.unit for span in seen.spans} == {"traefik"}


def test_the_lines_of_one_trace_are_collected_from_all_units(jaeger: Jaeger) -> None:
    _, trace = written(Person())
    when(jaeger, trace, whole("post"))
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "lab", "logs", "--trace", trace],
        cwd=REPO, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    units = [line.split()[0] for line in shown]
    assert {"auth", "posts", "posts-relay", "feed-projector"} <= set(units)
    assert units.index("auth") < units.index("posts") < units.index("feed-projector")
    assert all(trace in line for line in shown)
    if "json-logs" in backend.options():
        lines = [json.loads(line.partition("{")[1] + line.partition("{")[2]) for line in shown]
        assert [(line["unit"], line["trace_id"]) for line in lines] == [(unit, trace) for unit in units]
