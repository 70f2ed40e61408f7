"""An odd answer makes a check fail and show it; the check never crashes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from grading import checked_http
from grading.answers import Odd, parsed
from grading.outcome import Wrong
from grading.system import eventually

BODIES: dict[str, tuple[int, bytes]] = {
    "/api/profile": (200, b'{"first_name": "Ada", "address": {"city": null}, "tags": ["a"]}'),
    "/api/posts": (201, b""),
    "/api/posts/html": (200, b"<html>"),
    "/api/posts/latin": (200, b"\xff\xfe"),
    "/api/posts/moved": (307, b""),
    "/api/posts/list": (200, b'[{"id": 1}]'),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = BODIES[self.path]
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "keys", "expected", "saw"),
    [
        ("/api/profile", ["city"], "a field 'city'", "200 OK {"),
        ("/api/profile", ["address", "street"], "a field 'address.street'", "Ada"),
        ("/api/profile", ["tags", 3], "an entry 'tags.3'", "200 OK"),
        ("/api/posts", ["id"], "a body of JSON", "201 Created (no body)"),
        ("/api/posts/html", ["id"], "a body of JSON", "<html>"),
        ("/api/posts/latin", ["id"], "a body of JSON", "200 OK"),
        ("/api/posts/moved", ["id"], "a body of JSON", "Location: /elsewhere"),
        ("/api/posts/list", ["id"], "an object with a field 'id', not a list", '[{"id": 1}]'),
        ("/api/posts/list", [0, "title"], "a field '0.title'", '[{"id": 1}]'),
    ],
)
def test_what_is_missing_is_named(
    address: str, path: str, keys: list[str | int], expected: str, saw: str
) -> None:
    def read() -> None:
        found = http.get(path).json()
        for key in keys:
            found = found[key]

    with checked_http.client(base_url=address) as http, pytest.raises(Odd) as odd:
        read()
    assert odd.value.did == f"GET {path}"
    assert odd.value.expected == expected
    assert saw in odd.value.saw
    assert odd.value.service == path.split("/")[2]


def test_a_right_answer_is_what_it_was(address: str) -> None:
    found = checked_http.get(f"{address}/api/profile").json()
    assert found == json.loads(BODIES["/api/profile"][1])
    assert found.get("city", "?") == "?"
    assert json.loads(json.dumps(found)) == found
    assert checked_http.get(f"{address}/api/profile").elapsed.total_seconds() < 5


@pytest.mark.parametrize("raw", [b"\xff", b"", b"{", b"[]", b'{"name": 1}'])
def test_json_from_elsewhere(raw: bytes) -> None:
    with pytest.raises(Odd, match="read an entry"):
        parsed(raw, "read an entry in Redis")["title"]


def test_a_wait_that_runs_out_shows_the_last_answer(address: str) -> None:
    with pytest.raises(Wrong) as late:
        eventually(
            lambda: checked_http.get(f"{address}/api/posts").status_code == 200,
            within=0.1,
            what="posts to answer 200",
            means="Nobody can read posts.",
        )
    assert late.value.did == "waited for posts to answer 200"
    assert late.value.expected.startswith("it within 0.")
    assert late.value.saw == "last: GET /api/posts gave 201 Created (no body)"
    assert late.value.means == "Nobody can read posts."


def test_a_wait_goes_on_after_an_odd_answer(address: str) -> None:
    with pytest.raises(Wrong) as late:
        eventually(
            lambda: checked_http.get(f"{address}/api/profile").json()["city"], within=0.1, what="a city"
        )
    assert "GET /api/profile gave 200 OK" in late.value.saw
    assert "a field 'city'" in late.value.saw


def test_a_wait_says_what_it_is_told_to_look_at() -> None:
    with pytest.raises(Wrong) as late:
        eventually(lambda: 0, within=0.1, what="three posts", saw=lambda: "2 of 3 posts")
    assert late.value.saw == "last: 2 of 3 posts"
