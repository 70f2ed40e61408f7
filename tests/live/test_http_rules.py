"""The gateway and the services follow RFC 9110: the rules of docs/http.md, tested through the gateway."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from refusals import POST, refused
from support import ENDPOINTS, GATEWAY, Person, eventually

from lab.topology import SERVICES


@pytest.fixture(scope="module")
def path(ada: Person) -> str:
    """Provide a post of Ada."""
    return f"/api/posts/{ada.post()['id']}"


@pytest.mark.parametrize(
    "where",
    ["/api/posts", "{post}", "/api/activity-stream", "/api/activity-stream/stats", "/api/posts/health",
     "/api/auth/health", "/api/profile/health", "/api/auth/.well-known/jwks.json",
     "/api/posts/000000000000000000000000", "/api/posts/x", "/api/posts/", "/nothing", "/api/profile",
     "/api/activity-stream/user", "/api/posts?limit=0"],
)  # fmt: skip
@pytest.mark.parametrize("who", ["anybody", "ada"])
def test_head_is_get_without_a_body(
    anybody: httpx.Client, ada: Person, path: str, where: str, who: str
) -> None:
    http = ada.http if who == "ada" else anybody
    url = where.replace("{post}", path)
    head, get = http.head(url), http.get(url)
    assert head.content == b""
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]
    if "stats" not in where:  # counts change between two requests
        assert head.headers["content-length"] == str(len(get.content))
    assert head.headers.get("www-authenticate") == get.headers.get("www-authenticate")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("where", ["/health", "/ready", "/metrics", "/docs", "/openapi.json"])
def test_operations_of_each_service(anybody: httpx.Client, service: str, where: str) -> None:
    url = ENDPOINTS[service] + where
    assert (anybody.head(url).status_code, anybody.head(url).content) == (200, b"")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = anybody.request(method, url)
        refused(answer, 405, method)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("where", "methods"),
    [
        ("{post}", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/api/posts", "GET, HEAD, OPTIONS, POST"),
        ("/api/profile", "DELETE, GET, HEAD, OPTIONS, POST, PUT"),
        ("/api/auth/login", "OPTIONS, POST"),
        ("/api/auth/register", "OPTIONS, POST"),
        ("/api/activity-stream", "GET, HEAD, OPTIONS"),
        ("/api/activity-stream/user", "GET, HEAD, OPTIONS"),
        ("/api/posts/health", "GET, HEAD, OPTIONS"),
    ],
)
def test_allow_names_all_methods_of_the_path(ada: Person, path: str, where: str, methods: str) -> None:
    url = where.replace("{post}", path)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - set(methods.split(", ")):
        answer = ada.http.request(method, url)
        refused(answer, 405, method)
        assert answer.headers["allow"] == methods, method
    options = ada.http.options(url)
    assert (options.status_code, options.content, options.headers["allow"]) == (204, b"", methods)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "TRACE", "OPTIONS", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("where", ["/nothing", "/nothing/", "/api/posts/", "/api/posts/x/y"])
def test_what_is_not_there_is_404_for_each_method(ada: Person, method: str, where: str) -> None:
    refused(ada.http.request(method, where), 404, "nothing")


def test_invented_methods(ada: Person, path: str) -> None:
    for method in ("BREW", "PROPFIND"):
        refused(ada.http.request(method, path), 501)
    assert ada.http.request("PROPFIND", path).headers["allow"].startswith("DELETE, GET")


def test_options_asterisk() -> None:
    """The gateway answers for the server as a whole, and so does each service."""
    for address in (GATEWAY, ENDPOINTS["posts"]):
        parts = urlsplit(address)
        with socket.create_connection((parts.hostname, parts.port or 80), 5) as connection:
            connection.sendall(f"OPTIONS * HTTP/1.1\r\nHost: {parts.hostname}\r\n\r\n".encode())
            assert connection.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 204")


def test_a_protected_route_stays_protected(anybody: httpx.Client, path: str) -> None:
    """No preflight without configured origins, and no other way around forwardAuth."""
    preflight = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"):
        answer = anybody.request(method, "/api/profile", headers=preflight)
        assert answer.status_code == 401, method
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert anybody.put(path, json=POST).status_code == 401


def test_a_precondition_is_never_ignored(ada: Person, path: str) -> None:
    """A client with If-Match must not overwrite what it has not seen."""
    before = ada.http.get(path).json()
    seen = {"If-Match": '"1"'}
    refused(ada.http.put(path, headers=seen, json=POST), 412, "If-Match")
    refused(ada.http.delete(path, headers=seen), 412, "If-Match")
    refused(ada.http.get(path, headers=seen), 412, "If-Match")
    refused(ada.http.put(path, headers={"If-None-Match": "*"}, json=POST), 412, "If-None-Match")
    assert ada.http.get(path, headers={"If-Match": "*", "If-None-Match": '"x"'}).json() == before


@pytest.mark.parametrize(
    "upgrade",
    [
        {"Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
         "Sec-WebSocket-Version": "13"},
        {"Upgrade": "websocket"}, {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
    ],
    ids=["websocket", "half-a-websocket", "h2c"],
)  # fmt: skip
def test_a_wish_to_upgrade_is_ignored(ada: Person, path: str, upgrade: dict[str, str]) -> None:
    """A server may ignore it (RFC 9110, section 7.8), and no service speaks another protocol."""
    headers = {"Connection": "Upgrade", **upgrade}
    assert ada.http.get(path, headers=headers).status_code == 200
    refused(ada.http.get("/nothing", headers=headers), 404)
    assert ada.http.put(path, headers=headers, json=POST).status_code < 500
    assert ada.http.get(path).status_code == 200


def test_a_refusal_names_the_path_that_was_asked_for(anybody: httpx.Client) -> None:
    """The gateway passes on what auth answered to a request of the gateway's own."""
    for where in ("/api/profile", "/api/activity-stream/user"):
        answer = anybody.get(f"{where}?secret=1", headers={"X-Forwarded-Uri": "/forged"})
        refused(answer, 401)
        assert answer.json()["instance"] == where
    long = anybody.get("/api/profile", headers={"Authorization": "Bearer " + "a" * 40_000})
    assert (long.status_code, long.json()["instance"]) == (431, "/api/profile")


@pytest.mark.parametrize("number", ["1_0", "%2B5", "%205", "5.0", "1e1", "%D9%A5", "0x5", "", "%00"])
@pytest.mark.parametrize("where", ["/api/posts?limit", "/api/posts?user_id", "/api/activity-stream?skip"])
def test_a_number_has_one_spelling(anybody: httpx.Client, where: str, number: str) -> None:
    refused(anybody.get(f"{where}={number}"), 422, "must be an integer in decimal digits")


def test_a_wrong_id_or_cursor_is_explained(anybody: httpx.Client) -> None:
    for wrong in ("x", "%00", "A" * 24, "a" * 24 + "%0A"):
        refused(anybody.get(f"/api/posts/{wrong}"), 422, "must be the id of a post")
        refused(anybody.get(f"/api/posts?before={wrong}"), 422, "must be the id of a post")
        refused(anybody.get(f"/api/activity-stream?before={wrong}"), 422, "the `next` of an earlier page")


@pytest.mark.parametrize("where", ["/api/posts", "/api/activity-stream"])
def test_queries(anybody: httpx.Client, where: str) -> None:
    refused(anybody.get(f"{where}?limit=1&limit=2"), 422, "limit")
    refused(anybody.get(f"{where}?limit=1&lim%69t=2"), 422, "limit")
    refused(anybody.get(f"{where}?{'x' * 5000}=1"), 422, "5000 characters")
    refused(anybody.get(f"{where}?limit={'9' * 5000}"), 422, "limit")
    refused(anybody.get(f"{where}?limit={'9' * 9000}"), 414, "8192")
    assert anybody.get(f"{where}?limit=1&skip=1000000").json()["items"] == []
    assert anybody.get(f"{where}?&limit=1&").status_code == 200


def test_long_paths_and_headers(anybody: httpx.Client, ada: Person) -> None:
    for where in ("/api/posts/", "/nothing/", "/api/auth/", "/api/activity-stream/"):
        refused(anybody.get(where + "a" * 5000), 422 if "posts" in where else 404, "characters")
        refused(anybody.get(where + "a" * 9000), 414)
    refused(anybody.get("/api/posts", headers={"X-Long": "a" * 40_000}), 431, "32768")
    refused(anybody.get("/api/posts/" + "%0d%0aSet-Cookie:%20a=b" * 50), 422)
    many = anybody.get("/api/posts", headers={"traceparent": "a" * 3000})
    assert many.status_code == 200


def token_with(header: dict[str, Any]) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=") + ".e30.e30"


def test_authorization(anybody: httpx.Client, ada: Person) -> None:
    for good in (f"bearer {ada.token}", f"BEARER  {ada.token}"):
        answer = anybody.get("/api/activity-stream/user", headers={"Authorization": good})
        assert answer.status_code == 200, good
    long = "a" * 2500
    for bad in (
        f"Bearer\t{ada.token}", f"Basic {ada.token}", "Bearer", "", f"Bearer {ada.token} x",
        f"Bearer {token_with({'alg': long, 'kid': 'k'})}",
        f"Bearer {token_with({'alg': 'EdDSA', 'kid': long})}",
        f"Bearer {token_with({'alg': 'EdDSA', 'kid': 'k', 'crit': [long]})}", f"Bearer {'a' * 20_000}",
    ):  # fmt: skip
        answer = anybody.get("/api/activity-stream/user", headers={"Authorization": bad})
        refused(answer, 401)
        assert sum(map(len, answer.headers.values())) < 500


def test_pages_by_cursor_do_not_shift(ada: Person, anybody: httpx.Client) -> None:
    reader = Person()
    posts = [reader.post(str(number))["id"] for number in range(12)]
    eventually(lambda: len(reader.feed()) == 12, within=20, what="all entries")

    def page(**query: Any) -> dict[str, Any]:
        answer = reader.http.get("/api/activity-stream/user", params={"limit": 5, **query})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    first = page()
    added = [reader.post(f"new {number}")["id"] for number in range(3)]
    # The entry that the cursor names may be removed in between.
    wanted = {*posts, *added} - {removed := first["items"][-1]["post_id"]}
    assert reader.http.delete(f"/api/posts/{removed}").status_code == 200
    eventually(lambda: {item["post_id"] for item in reader.feed()} == wanted, within=20, what="the changes")
    second = page(before=first["next"])
    third = page(before=second["next"])
    seen = [item["post_id"] for one in (first, second, third) for item in one["items"]]
    assert seen == posts[::-1]
    assert third["next"] is None
    assert (second["total"], second["limit"], second["skip"]) == (14, 5, 0)
    skipped = page(before=first["next"], skip=2)
    assert skipped["items"][0] == second["items"][2]
    assert page(before=third["items"][-1]["timestamp"] + "_!")["items"] == []
    for bad in ("x", "0" * 24, first["next"] + '"', first["next"].replace("_", ""), "a" * 3000):
        answer = reader.http.get("/api/activity-stream/user", params={"before": bad})
        refused(answer, 422, "before")
    public = anybody.get("/api/activity-stream?limit=1").json()
    assert anybody.get("/api/activity-stream", params={"before": public["next"]}).status_code == 200
