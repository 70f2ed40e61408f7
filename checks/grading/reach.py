"""What checks can reach besides the services: Consul's API, auth's keys, what a recording instance sees."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grading.stack import ENDPOINTS, backend
from lab.probes import databases, local_http


def consul(method: str, path: str, **options: Any) -> Any:
    """Consul's answer as JSON. Raises httpx.HTTPStatusError."""
    answer = local_http.request(method, ENDPOINTS["consul"] + path, timeout=10, **options)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def environment(service: str) -> dict[str, str]:
    """The settings that a service runs with."""
    return databases.environment(backend, service)


def rows(service: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows from the service's own PostgreSQL database, as its own role."""
    return databases.rows(backend, service, statement, *values)


def signing_key() -> tuple[str, Ed25519PrivateKey]:
    """Id and private half of the newest key of auth: with it a check makes almost-good tokens."""
    kid, pem = rows("auth", "SELECT kid, private_pem FROM signing_keys ORDER BY created_at DESC LIMIT 1")[0]
    key = serialization.load_pem_private_key(
        bytes(pem), environment("auth")["SIGNING_KEY_PASSPHRASE"].encode()
    )
    assert isinstance(key, Ed25519PrivateKey)
    return kid, key


class Recorder:
    """An instance of a service that only writes down what reaches it."""

    def __init__(self, service: str, host: str) -> None:
        self.service, self.host = service, host
        self.id = f"{service}-recorder"
        self.seen: list[tuple[str, str, list[tuple[str, str]]]] = []


@contextmanager
def recorder(service: str) -> Iterator[Recorder]:
    """Another healthy instance of `service` in the catalog; it answers 200 to everything."""
    found = Recorder(service, backend.listen_host())

    class Handler(BaseHTTPRequestHandler):
        def _note(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/health":
                found.seen.append((self.command, self.path, list(self.headers.items())))
            body = json.dumps({"recorded": True}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _note

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((found.host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    entry = {
        "Name": service, "ID": found.id, "Address": found.host, "Port": port, "Tags": ["traefik.enable=true"],
        "Check": {"HTTP": f"http://{found.host}:{port}/health", "Interval": "1s", "Status": "passing"},
    }  # fmt: skip
    consul("PUT", "/v1/agent/service/register", json=entry)
    try:
        yield found
    finally:
        consul("PUT", f"/v1/agent/service/deregister/{found.id}")
        server.shutdown()
        server.server_close()
