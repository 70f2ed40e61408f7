"""A service's rules in Consul KV."""

import base64

import httpx
from grading.reach import consul

ROOT = "traefik/http"


def keys_of(service: str) -> dict[str, tuple[str, int]]:
    """Value and ModifyIndex of each key of the service's routers and middlewares."""
    found = {}
    for kind in ("routers", "middlewares"):
        try:
            entries = consul("GET", f"/v1/kv/{ROOT}/{kind}/{service}-?recurse=true")
        except httpx.HTTPStatusError:
            continue  # 404: there are none
        for entry in entries:
            found[entry["Key"]] = (base64.b64decode(entry["Value"] or "").decode(), entry["ModifyIndex"])
    return found
