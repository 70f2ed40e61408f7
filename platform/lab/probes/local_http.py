"""HTTP to the system's own addresses: without TLS, on this machine, never through a proxy.

For each new client httpx loads all certificates of the machine (about 25 ms of processor time), even if the
client never uses TLS. Tests create hundreds of clients, so these load no certificate at all.
"""

import ssl
from typing import Any

import httpx

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(**options: Any) -> httpx.Client:
    """Return a client; `options` are those of httpx.Client."""
    return httpx.Client(trust_env=False, verify=NO_TLS, **options)


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """Send one request over its own connection. Raises httpx.HTTPError when there is no answer."""
    return httpx.request(method, url, trust_env=False, verify=NO_TLS, **options)


def get(url: str, **options: Any) -> httpx.Response:
    """Send a GET. Raises httpx.HTTPError when there is no answer."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """Send a POST. Raises httpx.HTTPError when there is no answer."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> httpx.Response:
    """Send a PUT. Raises httpx.HTTPError when there is no answer."""
    return request("PUT", url, **options)
