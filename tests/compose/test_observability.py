"""`./lab up --with observability` on a real engine: traces, metrics, objectives, and what they weigh."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from compose import cost, step
from compose.looks import healthy, suite
from compose.machine import among_containers
from compose.stack import OWN, Stack
from support import eventually

from lab.home import REPO
from lab.probes import local_http
from lab.topology import OPTIONAL, UNITS

pytestmark = pytest.mark.campaign
OPTION = "observability"
ADDED = tuple(server.name for server in OPTIONAL.values() if server.option == OPTION)
LIVE = ("one_trace", "objectives_live", "collector")
"""test_pages needs JupyterLab as a process of this machine."""
MINUTES = "2"
MARGIN = 1.15
"""Each limit is at least so many times the peak, as without the option."""


@pytest.fixture(scope="module")
def observed(on_compose: Stack) -> Iterator[Stack]:
    """Provide the system with the option."""
    on_compose.make_images(OPTION)
    on_compose.timed("build", "docker", "compose", "build", seconds=900)
    words = on_compose.lab_words("up", "--with", OPTION)
    on_compose.timed("up with observability, images there, no data", *words)
    with cost.peaks(on_compose) as peaks:
        yield on_compose
    for name in (*ADDED, "posts-relay", "feed-projector"):
        on_compose.figures.append(
            f"with {OPTION}: {name}: {peaks.bytes.get(name, 0) / cost.MIB:.0f} MiB at most"
        )


def test_the_servers_run_and_answer_where_endpoints_says(observed: Stack) -> None:
    units = {unit["name"]: unit["state"] for unit in json.loads(observed.lab("status", "--json"))}
    assert {name: units.get(name) for name in (*UNITS, *ADDED)} == dict.fromkeys((*UNITS, *ADDED), "running")
    addresses = json.loads(observed.lab("endpoints", "--json"))
    ports = {name: int(OWN[f"LAB_PORT_{name.upper()}"]) for name in ADDED}
    assert {name: addresses[name] for name in ADDED} == {
        name: f"http://127.0.0.1:{port}" for name, port in ports.items()
    }
    said = observed.lab("endpoints")
    for name in ADDED:
        assert f"page: {OPTIONAL[name].page}" in said
        answer = local_http.get(addresses[name] + OPTIONAL[name].page, timeout=10, follow_redirects=True)
        # The stand-in for Jaeger has no page: its Go module contains none.
        assert answer.status_code == 200 or name == "traces", (name, answer.status_code)


@pytest.mark.parametrize("name", ADDED)
def test_the_servers_are_closed_and_bounded(observed: Stack, name: str) -> None:
    seen = observed.container(name)
    host = seen["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["LogConfig"]["Config"]["max-size"] == "10m"
    published = [each for found in seen["NetworkSettings"]["Ports"].values() for each in found or ()]
    assert {each["HostIp"] for each in published} == {"127.0.0.1"}


def test_a_second_up_keeps_the_option(observed: Stack) -> None:
    before = {name: observed.container(name)["Id"] for name in (*UNITS, *ADDED)}
    assert "already running" in observed.lab("up")
    assert {name: observed.container(name)["Id"] for name in (*UNITS, *ADDED)} == before


@pytest.mark.parametrize("name", LIVE)
def test_live_tests(observed: Stack, tmp_path: Path, name: str) -> None:
    """The same tests as on the native backend: all edges of the topology from real traffic among them."""
    options = ("-m", "observability")
    assert suite(observed, name, tmp_path / "live.xml", f"tests/observability/test_{name}.py", *options)


def test_slo_shows_every_objective(observed: Stack) -> None:
    def good() -> bool:
        code, said = step.run(observed.lab_words("slo", "--json"), observed.environment, 60, REPO)
        return code in (0, 1) and all(budget["good"] is not None for budget in json.loads(said))

    eventually(good, within=60, what="a figure for each objective")


def test_no_process_is_ended_under_load(observed: Stack, tmp_path: Path) -> None:
    eventually(healthy, within=60, what="a healthy system to load")
    words = ["soak", "--minutes", MINUTES, "--out", str(tmp_path)]
    with cost.peaks(observed) as peaks:
        command = among_containers(observed.lab_words(*words))
        _, said = step.run(command, observed.environment, float(MINUTES) * 60 + 600, REPO)
        ended = {name: cost.kernel_kills(each["Id"]) for name, each in cost.running(observed).items()}
        limits = {name: each["HostConfig"]["Memory"] for name, each in cost.running(observed).items()}
    report = json.loads((tmp_path / "soak.json").read_text())
    assert report["changes_per_s"] > 5, said[-3000:]
    assert set(ended) == {*UNITS, *ADDED, "jupyterlab"}
    assert set(ended.values()) == {0}
    observed.figures += [
        f"soak with {OPTION}: {name}: {used / cost.MIB:.0f} MiB at most, of {limits[name] // cost.MIB}"
        for name, used in sorted(peaks.bytes.items())
    ]
    small = {name: used // cost.MIB for name, used in peaks.bytes.items() if MARGIN * used > limits[name]}
    assert small == {}, f"MiB at most, and the limit leaves less than {MARGIN - 1:.0%} above it"


def test_the_kernel_ended_nothing_for_lack_of_memory(observed: Stack) -> None:
    assert observed.memory_kills.seen == []
    assert [each["Name"] for each in observed.all_containers() if each["State"]["OOMKilled"]] == []


def test_reset_deletes_the_metrics_as_well(observed: Stack) -> None:
    """Also when the system was taken down before, so that no container tells with which option it ran."""
    assert "civildiy-test_metrics" in observed.volumes()
    observed.lab("down")
    assert observed.all_containers() == []
    observed.lab("reset", "--yes")
    assert observed.volumes() == []
