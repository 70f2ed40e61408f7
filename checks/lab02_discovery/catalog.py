"""Profile as the catalog shows it."""

from typing import Any

from grading import checked_http
from grading.outcome import Wrong
from grading.reach import consul
from grading.system import ENDPOINTS, backend, eventually

from lab.probes.instances import port

HOST = backend.host("profile")
PORT = port(backend)


def entries(passing: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = consul("GET", "/v1/health/service/profile" + "?passing=true" * passing)
    return found


def ids() -> list[str]:
    return sorted(entry["Service"]["ID"] for entry in entries())


def answering() -> bool:
    return checked_http.get(f"{ENDPOINTS['gateway']}/api/profile/health", timeout=5).status_code == 200


def back() -> None:
    """Profile is in the catalog, healthy, and reached by the gateway."""
    try:
        eventually(
            lambda: entries(True) and answering(), within=15, what="profile to be healthy in the catalog"
        )
    except Wrong as late:
        found = entries()
        tags = sorted({tag for entry in found for tag in entry["Service"]["Tags"] or []})
        saw = (
            f"{len(entries(True))} of {len(found)} entries pass their check; tags:"
            f" {', '.join(tags) or 'none'}"
        )
        raise Wrong(late.did, late.expected, saw, _why_absent(found, tags)) from late


def _why_absent(found: list[dict[str, Any]], tags: list[str]) -> str:
    if not found:
        return "The catalog has no entry of profile: `register` did not register it, or something removed"
        " it again."
    if not entries(True):
        return "Consul asks the address of the entry's check and gets no good answer; `register` sets"
        " this address."
    if "traefik.enable=true" not in tags:
        return "The entry lacks the tag `traefik.enable=true`. Traefik ignores services without it and"
        " answers 404."
    return "The entry is healthy, but the gateway does not reach profile at its address and port."


def restarted(old: int | None) -> None:
    """The supervisor has restarted profile, and it listens (a start that is cut short registers nothing)."""
    eventually(
        lambda: (
            backend.pid_of("profile") not in (None, old) and checked_http.get(f"{ENDPOINTS['profile']}/docs")
        ),
        within=15,
        what="the supervisor to restart profile",
    )
