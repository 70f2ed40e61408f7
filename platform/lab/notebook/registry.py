"""Consul: who is there, and is it healthy."""

from typing import Any

import httpx

from lab.notebook.picture import Table
from lab.notebook.stack import address
from lab.probes import local_http


def consul(path: str) -> Any:
    """Consul's answer to a GET. Raises httpx.HTTPError."""
    answer = local_http.get(f"{address('consul')}/v1/{path}", timeout=5)
    answer.raise_for_status()
    return answer.json()


def health() -> dict[str, str]:
    """The worst state among the instances of each service: passing or critical; empty without Consul."""
    try:
        checks = consul("health/state/any")
    except (httpx.HTTPError, ValueError):
        return {}
    found: dict[str, str] = {}
    for check in checks:
        if name := check["ServiceName"]:
            found[name] = check["Status"] if found.get(name, "passing") == "passing" else found[name]
    return found


def entries(service: str) -> list[dict[str, Any]]:
    """The instances of a service with their checks, as Consul's API gives them."""
    found: list[dict[str, Any]] = consul(f"health/service/{service}")
    return found


def state_of(service: str) -> str:
    """One word for a service: passing, critical, or not in the catalog."""
    try:
        found = entries(service)
    except (httpx.HTTPError, ValueError):
        return "Consul does not answer"
    states = {check["Status"] for entry in found for check in entry["Checks"] if check["ServiceName"]}
    if not found:
        return "not in the catalog"
    return "passing" if states == {"passing"} else "critical"


def show(*services: str) -> Table:
    """The catalog: each instance, its address, its check and what the check said last."""
    names = services or tuple(sorted(set(consul("catalog/services")) - {"consul"}))
    rows = []
    for name in names:
        for entry in entries(name):
            service = entry["Service"]
            check: dict[str, Any] = next((c for c in entry["Checks"] if c["ServiceID"]), {})
            rows.append(
                (name, service["ID"], f"{service['Address']}:{service['Port']}",
                 check.get("Status", "no check"), check.get("Name", ""))
            )  # fmt: skip
    return Table("Consul's catalog", ("service", "instance", "address", "state", "its check"), rows)
