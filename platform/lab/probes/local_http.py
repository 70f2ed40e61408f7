"""HTTP to the system's own addresses: plain, on this machine, never through a proxy.

httpx loads all certificates of the machine for each new client (some 25 ms of computing), also when
no TLS is spoken. Tests and waits make clients by the hundred, so these trust no authority at all.
"""

import ssl
from typing import Any

import httpx

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(**options: Any) -> httpx.Client:
    """A client; `options` as httpx.Client takes them."""
    return httpx.Client(trust_env=False, verify=NO_TLS, **options)


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """One answer over a connection of its own. Raises httpx.HTTPError when there is none."""
    return httpx.request(method, url, trust_env=False, verify=NO_TLS, **options)


def get(url: str, **options: Any) -> httpx.Response:
    """One answer to a GET. Raises httpx.HTTPError when there is none."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """One answer to a POST. Raises httpx.HTTPError when there is none."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> httpx.Response:
    """One answer to a PUT. Raises httpx.HTTPError when there is none."""
    return request("PUT", url, **options)
