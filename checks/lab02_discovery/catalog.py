"""Profile as the catalog shows it."""

from typing import Any

from grading import checked_http
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
    eventually(lambda: entries(True) and answering(), within=15, what="profile to be healthy in the catalog")


def restarted(old: int | None) -> None:
    """The supervisor has started profile anew, and it listens (a start that is cut short enters nothing)."""
    eventually(
        lambda: (
            backend.pid_of("profile") not in (None, old) and checked_http.get(f"{ENDPOINTS['profile']}/docs")
        ),
        within=15,
        what="the supervisor to restart profile",
    )
