"""The contract that every backend must fulfil; the same suite runs on each backend."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from support import backend, eventually, until_healthy

from lab import options, topology
from lab.backends.settings import read
from lab.errors import LabError
from lab.faults.catalog import FAULTS, fault
from lab.probes import instances, local_http
from lab.topology import SERVERS, SERVICES, STORES, UNITS

UNIT = "profile"
"""The unit that these tests stop, pause and cut off; no other test of the suite needs it meanwhile."""


def connects(address: str) -> bool:
    host, _, port = address.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port or 80)), 2).close()
    except OSError:
        return False
    return True


def answers(unit: str = UNIT) -> bool:
    try:
        return local_http.get(f"{backend.endpoints()[unit]}/health", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def well_afterwards() -> Iterator[None]:
    try:
        yield
    finally:
        until_healthy()


class TestAddresses:
    def test_endpoints_name_the_same_units_everywhere(self) -> None:
        added = options.servers(backend.options())
        assert set(backend.endpoints()) == {"gateway", "traefik", "consul", *STORES, *SERVICES, *added}

    @pytest.mark.parametrize("name", ["gateway", "traefik", "consul", *STORES, *SERVICES])
    def test_each_endpoint_accepts_a_connection(self, name: str) -> None:
        assert connects(backend.endpoints()[name])

    @pytest.mark.parametrize("service", SERVICES)
    def test_an_instance_is_reached_directly(self, service: str) -> None:
        assert instances.answered(backend, service, "/health") >= 0
        assert backend.host(service)

    @pytest.mark.parametrize("name", ["common", *SERVICES, *topology.WORKERS, "feed-tool", "provision"])
    def test_variables_fill_every_settings_file(self, name: str) -> None:
        assert not [value for value in read(name, backend.variables()).values() if "${" in value]

    def test_units_can_call_back(self) -> None:
        """A program of this machine can listen on an address that units reach, as recording proxies do."""
        with socket.create_server((backend.listen_host(), 0)) as server:
            assert server.getsockname()[1] > 0


class TestLifecycle:
    def test_units_are_those_of_the_topology(self) -> None:
        found = {unit.name: unit for unit in backend.units()}
        assert tuple(name for name in found if name in UNITS) == UNITS
        assert {found[name].state for name in UNITS} == {"running"}
        assert all(found[name].pid or found[name].container for name in UNITS)
        assert all(found[name].memory > 1_000_000 for name in UNITS)

    @pytest.mark.parametrize("unit", UNITS)
    def test_a_log_has_lines_and_no_more_than_asked_for(self, unit: str) -> None:
        done = subprocess.run(
            backend.log_command(unit, follow=False, lines=5), capture_output=True, text=True, check=True
        )
        assert len((done.stdout + done.stderr).splitlines()) <= 5

    @pytest.mark.fault
    def test_restart_gives_a_new_process(self) -> None:
        with well_afterwards():
            before = backend.pid_of(UNIT)
            backend.restart(UNIT)
            eventually(lambda: backend.pid_of(UNIT) not in (None, before), within=30, what="a new process")
            eventually(answers, within=30, what="an answer")

    @pytest.mark.fault
    def test_a_stopped_unit_stays_stopped_until_it_is_started(self) -> None:
        with well_afterwards():
            backend.stop_unit(UNIT)
            try:
                eventually(lambda: backend.pid_of(UNIT) is None, within=20, what="the end of the process")
                assert {unit.name: unit.state for unit in backend.units()}[UNIT] != "running"
                with pytest.raises(LabError):
                    backend.signal(UNIT, signal.SIGTERM)
            finally:
                backend.start_unit(UNIT)
            eventually(answers, within=30, what="an answer")

    @pytest.mark.fault
    def test_an_override_reaches_the_unit_and_can_be_removed(self) -> None:
        with well_afterwards():
            before = backend.pid_of(UNIT)
            try:
                backend.override(UNIT, {"LOG_LEVEL": "WARNING"})
                eventually(
                    lambda: backend.pid_of(UNIT) not in (None, before), within=30, what="a process with it"
                )
                eventually(answers, within=30, what="an answer")
            finally:
                backend.override(UNIT, {})

    @pytest.mark.fault
    def test_a_second_instance_runs_while_it_is_wanted(self) -> None:
        second = UNIT + topology.SECOND
        with well_afterwards():
            backend.start_unit(second)
            try:
                eventually(lambda: second in {u.name for u in backend.units()}, within=30, what="the unit")
                assert backend.reach(second)
            finally:
                backend.stop_unit(second)
            eventually(lambda: second not in {u.name for u in backend.units()}, within=30, what="its end")

    def test_a_tool_writes_its_answer_to_stdout(self) -> None:
        command = backend.tool_command("feed-redrive", "--dry-run")
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        assert done.returncode == 0, done.stderr
        assert re.match(r'\{"waiting":\[', done.stdout)


class TestFaults:
    @pytest.mark.fault
    def test_a_paused_unit_is_silent_until_it_goes_on(self) -> None:
        with well_afterwards():
            backend.freeze(UNIT)
            try:
                assert not answers()
                assert backend.pid_of(UNIT) is not None
            finally:
                backend.thaw(UNIT)
                backend.thaw(UNIT)  # a second call changes nothing
            eventually(answers, within=30, what="an answer")

    @pytest.mark.fault
    def test_a_unit_that_is_cut_off_is_reached_again(self) -> None:
        impossible = backend.kind not in fault("cut-off").backends
        if impossible or (os.geteuid() != 0 and backend.kind == "native"):
            with pytest.raises(LabError):
                backend.cut_off(UNIT)
            return
        with well_afterwards():
            backend.cut_off(UNIT)
            try:
                assert not answers()
            finally:
                backend.reconnect(UNIT)
                backend.reconnect(UNIT)
            eventually(answers, within=30, what="an answer")

    @pytest.mark.parametrize("unit", ["", "no-such-unit", "auth-3", "../auth"])
    def test_an_unknown_unit_is_refused_in_a_sentence(self, unit: str) -> None:
        for act in (backend.stop_unit, backend.start_unit, backend.restart):
            with pytest.raises(LabError, match="no unit"):
                act(unit)

    def test_a_fault_that_this_backend_cannot_do_says_why(self) -> None:
        for each in FAULTS:
            if backend.kind not in each.backends:
                with pytest.raises(LabError):
                    each.inject(backend, each.units[0])

    def test_every_server_and_service_can_be_named(self) -> None:
        for unit in (*SERVERS, *SERVICES):
            assert backend.pid_of(unit) is not None
