"""Recording proxy in front of Consul: forwards every request and keeps a log of it for the checks."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from grading.system import ENDPOINTS
from lab.probes import local_http

LONGEST_WAIT = 90.0
"""Seconds. Consul answers a blocking query after about 30 s."""
PASSED_ON = ("content-type", "x-consul-index")


@dataclass(frozen=True)
class Asked:
    """One request to Consul."""

    method: str
    path: str
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body with all names in lower case and without '_': Consul accepts every spelling."""
        body: dict[str, Any] = _plain_names(json.loads(self.body or b"{}"))
        return body


def _plain_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.lower().replace("_", ""): _plain_names(inner) for name, inner in value.items()}
    return [_plain_names(inner) for inner in value] if isinstance(value, list) else value


class RecordingProxy:
    """The address of the proxy and its log. While `closed` is set, requests get no answer."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.closed = False
        self.ahead = 0
        """Added to Consul's index. Set back to 0, the index goes backwards, as after a loss of data."""
        self.asked: list[Asked] = []

    def writes(self) -> list[Asked]:
        """Return the requests that were meant to change something."""
        return [asked for asked in self.asked if asked.method != "GET"]


def behind(path: str, ahead: int) -> str:
    """A request's path with the index that Consul itself knows."""
    return (
        re.sub(r"\bindex=(\d+)", lambda found: f"index={max(int(found[1]) - ahead, 0)}", path)
        if ahead
        else path
    )


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """Forward all requests to the real Consul, and its answers back."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.asked.append(Asked(self.command, self.path, body))
            # The client may have gone, and Consul may be unavailable: then there is no answer.
            with suppress(OSError, httpx.HTTPError):
                if not proxy.closed:
                    self._answer(
                        local_http.request(
                            self.command,
                            ENDPOINTS["consul"] + behind(self.path, proxy.ahead),
                            content=body,
                            timeout=LONGEST_WAIT,
                        )
                    )

        def _answer(self, answer: httpx.Response) -> None:
            self.send_response(answer.status_code)
            for name in PASSED_ON:
                if value := answer.headers.get(name):
                    ahead = proxy.ahead if name == "x-consul-index" else 0
                    self.send_header(name, str(int(value) + ahead) if ahead else value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PUT = do_POST = do_DELETE = _pass_on

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = RecordingProxy("127.0.0.1", server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
