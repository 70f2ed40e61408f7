"""A wrong rule at the gateway: it routes one service's requests to another service."""

import base64

from lab.probes import local_http

NAME = "intruder"
ROOT = f"traefik/http/routers/{NAME}"
RULE = {
    "rule": "PathPrefix(`/api/posts`)",
    "priority": "9000",
    "entryPoints/0": "web",
    "service": "feed@consulcatalog",
}


def add_wrong_rule(consul: str) -> None:
    """Route all requests for posts to feed. Raises httpx.HTTPError."""
    operations = [
        {"KV": {"Verb": "set", "Key": f"{ROOT}/{key}", "Value": base64.b64encode(value.encode()).decode()}}
        for key, value in RULE.items()
    ]
    local_http.put(f"{consul}/v1/txn", json=operations, timeout=5).raise_for_status()


def remove_wrong_rule(consul: str) -> None:
    """Remove the rule; do nothing when it does not exist. Raises httpx.HTTPError."""
    url = f"{consul}/v1/kv/{ROOT}/"
    local_http.request("DELETE", url, params={"recurse": "true"}, timeout=5).raise_for_status()
