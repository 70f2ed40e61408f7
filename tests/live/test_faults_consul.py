"""Killed instances, and a Consul without its data: the catalog becomes right again by itself."""

import signal

import httpx
import pytest
from support import ENDPOINTS, backend, eventually, kill

from lab.probes import local_http
from lab.topology import SERVICES


def consul_states(service: str) -> list[str]:
    url = f"{ENDPOINTS['consul']}/v1/health/checks/{service}"
    return [check["Status"] for check in local_http.get(url).json()]


@pytest.mark.fault
@pytest.mark.campaign
def test_killed_instance_is_critical_and_out_of_rotation(anybody: httpx.Client) -> None:
    # Paused first, so that the supervisor cannot restart it before Consul's next health check.
    backend.signal("profile", signal.SIGSTOP)
    try:
        eventually(lambda: consul_states("profile") == ["critical"], within=15, what="critical")
        eventually(
            lambda: anybody.get("/api/profile/health", timeout=1).status_code == 503,
            within=5,
            what="the gateway's 503",
        )
    finally:
        backend.signal("profile", signal.SIGKILL)
    eventually(lambda: consul_states("profile") == ["passing"], within=20, what="passing again")


@pytest.mark.fault
@pytest.mark.campaign
def test_restarted_consul_gets_everything_back() -> None:
    kill("consul")
    eventually(
        lambda: [consul_states(service) for service in SERVICES] == [["passing"]] * 4,
        within=30, what="all four services passing",
    )  # fmt: skip


@pytest.mark.fault
@pytest.mark.campaign
def test_consul_that_forgot_an_instance_gets_it_back() -> None:
    url = f"{ENDPOINTS['consul']}/v1/agent/service/deregister/posts-{backend.host('posts')}"
    local_http.put(url).raise_for_status()
    eventually(lambda: consul_states("posts") == ["passing"], within=15, what="posts registered again")
