"""Tests of `./lab up --with observability`; without that option they are skipped with a reason."""

import time

import pytest
from support import backend

from lab import options
from lab.slo.metrics import Metrics
from lab.traces.jaeger import Jaeger

HERE = __file__.rpartition("/")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if str(item.path).startswith(HERE)]
    if not mine:
        return
    on = backend.running() and "observability" in backend.options()
    skip = pytest.mark.skip(reason="the system runs without it: ./lab up --with observability")
    for item in mine:
        item.add_marker(pytest.mark.observability)
        if not on:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def servers() -> None:
    """Wait for the servers of the option: they may still be compiled."""
    wanted = set(options.servers(["observability"]))
    deadline = time.monotonic() + 1800
    while wanted - {unit.name for unit in backend.units() if unit.state == "running"}:
        assert time.monotonic() < deadline, "the servers of the option do not run"
        time.sleep(1)


@pytest.fixture
def jaeger() -> Jaeger:
    return Jaeger(backend.endpoints()["traces"])


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(backend.endpoints()["metrics"])
