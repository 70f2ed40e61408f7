"""Consul's catalog: maintenance mode, failing checks, services that are missing."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.finding import SECONDS, Finding, Findings
from lab.probes import local_http
from lab.probes.instances import instance_ids
from lab.text import shortened
from lab.topology import PATHS

WHAT = "Consul"
NODE = "_node_maintenance"
SERVICE = "_service_maintenance:"


def look(backend: Backend) -> Findings:
    """Yield what keeps the gateway from sending requests to a running service. Raises httpx.HTTPError."""
    consul = backend.endpoints()["consul"]
    url = f"{consul}/v1/health/state/any"
    checks: list[dict[str, Any]] = local_http.get(url, timeout=SECONDS * slow()).raise_for_status().json()
    url = f"{consul}/v1/agent/services"
    entries: dict[str, dict[str, Any]] = (
        local_http.get(url, timeout=SECONDS * slow()).raise_for_status().json()
    )
    ids = instance_ids(backend)
    expected = [unit.name for unit in backend.units() if unit.name in ids]
    ownerless = nobodys(entries, {ids[name] for name in expected}, {backend.host(name) for name in expected})
    trouble = [*_maintenance(consul, checks), *_failing(consul, checks, ownerless)]
    yield from trouble
    listed = {check["ServiceName"] for check in checks}
    missing = [service for service in PATHS if service not in listed]
    for service in missing:
        yield Finding(WHAT, f"the catalog lists no instance of {service}", f"./lab restart {service}")
    if not trouble and not missing:
        yield Finding(WHAT, "all services are listed and none is in maintenance mode")


def _maintenance(consul: str, checks: list[dict[str, Any]]) -> Findings:
    for check in checks:
        reason = shortened(check["Notes"] or "without a reason")
        if check["CheckID"] == NODE:
            url = f"{consul}/v1/agent/maintenance?enable=false"
            node = shortened(check["Node"])
            seen = f"the node {node} is in maintenance mode ({reason}): no service gets requests"
            yield Finding(WHAT, seen, f"curl -X PUT '{url}'")
        elif check["CheckID"].startswith(SERVICE):
            name = check["CheckID"].removeprefix(SERVICE)
            url = f"{consul}/v1/agent/service/maintenance/{quote(name)}?enable=false"
            seen = f"the service {shortened(name)} is in maintenance mode ({reason}): it gets no requests"
            yield Finding(WHAT, seen, f"curl -X PUT '{url}'")


def nobodys(
    entries: Mapping[str, Mapping[str, Any]], ids: Collection[str], hosts: Collection[str]
) -> set[str]:
    """Return the ids of the entries that have neither the id nor the address of an instance that should run.

    `entries`: Consul's services by id. A learner's code may register a unit under another id, so its address
    counts, too.
    """
    return {id for id, entry in entries.items() if id not in ids and entry["Address"] not in hosts}


def _failing(consul: str, checks: list[dict[str, Any]], ownerless: Collection[str] = ()) -> Findings:
    for check in checks:
        in_maintenance = check["CheckID"].startswith((NODE, SERVICE))
        if check["Status"] != "passing" and not in_maintenance:
            instance = check["ServiceID"] or check["Node"]
            unit = check["ServiceName"]
            output = re.sub(r"^HTTP GET ", "GET ", check["Output"])
            seen = f"{shortened(instance)} is {check['Status']}: {shortened(output, 120) or 'no output'}"
            remedy = f"./lab logs {unit}, ./lab restart {unit}" if unit in PATHS else "./lab logs consul"
            if check["ServiceID"] in ownerless:
                seen += "; no unit has this id or address, so its process ended without deregistering"
                url = f"{consul}/v1/agent/service/deregister/{quote(instance, safe='')}"
                remedy = f"curl -X PUT '{url}'"
            yield Finding(WHAT, seen, remedy)
