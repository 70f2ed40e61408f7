"""lab.probes.local_http for checks: the same questions, and what comes is an Answer."""

from typing import Any

import httpx

from grading.answers import Answer
from lab.probes import local_http
from lab.probes.local_http import NO_TLS as NO_TLS


class Client(httpx.Client):
    """A client whose answers are read with care."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx does. Raises httpx.HTTPError when nothing comes."""
        return Answer.of(super().send(request, **options))


def client(**options: Any) -> httpx.Client:
    """A client that ignores proxies; `options` as httpx.Client takes them."""
    return Client(trust_env=False, **{"verify": NO_TLS, **options})


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """One answer over a connection of its own. Raises httpx.HTTPError when there is none."""
    return Answer.of(local_http.request(method, url, **options))


def get(url: str, **options: Any) -> httpx.Response:
    """One answer to a GET."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """One answer to a POST."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> httpx.Response:
    """One answer to a PUT."""
    return request("PUT", url, **options)
