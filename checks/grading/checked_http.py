"""HTTP for checks: the functions of lab.probes.local_http, but each returns an Answer."""

from typing import Any

import httpx

from grading.answers import Answer
from lab.probes import local_http
from lab.probes.local_http import NO_TLS as NO_TLS


class Client(httpx.Client):
    """A client whose answers are Answer objects."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, as httpx does. Raises httpx.HTTPError when there is no answer."""
        return Answer.of(super().send(request, **options))


def client(**options: Any) -> httpx.Client:
    """Return a client that ignores proxies; `options` are those of httpx.Client."""
    return Client(trust_env=False, **{"verify": NO_TLS, **options})


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """Send one request over its own connection. Raises httpx.HTTPError when there is no answer."""
    return Answer.of(local_http.request(method, url, **options))


def get(url: str, **options: Any) -> httpx.Response:
    """Send a GET."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """Send a POST."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> httpx.Response:
    """Send a PUT."""
    return request("PUT", url, **options)
