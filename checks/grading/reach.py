"""What checks reach besides the services: Consul's API, auth's keys, an instance that records requests."""

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
    """Return Consul's answer as JSON. Raises httpx.HTTPStatusError."""
    answer = local_http.request(method, ENDPOINTS["consul"] + path, timeout=10, **options)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def environment(service: str) -> dict[str, str]:
    """Return the settings with which a service runs."""
    return databases.environment(backend, service)


def rows(service: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return rows from the service's own PostgreSQL database, read with its own role."""
    return databases.rows(backend, service, statement, *values)


def signing_key() -> tuple[str, Ed25519PrivateKey]:
    """Return id and private half of auth's newest key, with which a check makes almost valid tokens."""
    kid, pem = rows("auth", "SELECT kid, private_pem FROM signing_keys ORDER BY created_at DESC LIMIT 1")[0]
    key = serialization.load_pem_private_key(
        bytes(pem), environment("auth")["SIGNING_KEY_PASSPHRASE"].encode()
    )
    assert isinstance(key, Ed25519PrivateKey)
    return kid, key


class Recorder:
    """An instance of a service that only records the requests it gets."""

    def __init__(self, service: str, host: str) -> None:
        self.service, self.host = service, host
        self.id = f"{service}-recorder"
        self.seen: list[tuple[str, str, list[tuple[str, str]]]] = []


@contextmanager
def recorder(service: str) -> Iterator[Recorder]:
    """Register another healthy instance of `service` in the catalog; it answers 200 to every request."""
    recording = Recorder(service, backend.listen_host())

    class Handler(BaseHTTPRequestHandler):
        def _note(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/health":
                recording.seen.append((self.command, self.path, list(self.headers.items())))
            body = json.dumps({"recorded": True}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _note

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((recording.host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    entry = {
        "Name": service, "ID": recording.id, "Address": recording.host, "Port": port,
        "Tags": ["traefik.enable=true"],
        "Check": {"HTTP": f"http://{recording.host}:{port}/health", "Interval": "1s", "Status": "passing"},
    }  # fmt: skip
    consul("PUT", "/v1/agent/service/register", json=entry)
    try:
        yield recording
    finally:
        consul("PUT", f"/v1/agent/service/deregister/{recording.id}")
        server.shutdown()
        server.server_close()
