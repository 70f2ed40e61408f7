"""The system on a real cluster: it comes up, and passes the tests and checks that it passes elsewhere."""

import json
from pathlib import Path

import pytest
from kubernetes.system import System

from lab.home import REPO
from lab.topology import UNITS

NATIVE_ONLY = {"break_native", "crash_points", "leaks", "rotation", "storm_finds", "two_systems", "up"}
"""These need the native supervisor, or a process that can kill itself."""
LIVE = ("api", "backend_contract", "events", "http_rules", "identity", "round_trip")
OTHERS = sorted(
    {file.stem.removeprefix("test_") for file in (REPO / "tests/live").glob("test_*.py")}
    - NATIVE_ONLY
    - set(LIVE)
)
LABS = ("01_services", "07_feeds")
MOST_MEMORY = 4e9


def test_up_was_complete_and_says_where(on_kubernetes: System) -> None:
    said = on_kubernetes.lab("up")
    assert "already running" in said
    units = json.loads(on_kubernetes.lab("status", "--json"))
    assert {unit["name"] for unit in units} >= set(UNITS)
    assert {unit["state"] for unit in units} == {"running"}
    total, cluster = sum(unit["memory"] for unit in units), on_kubernetes.cluster.memory()
    on_kubernetes.figures += [
        f"all pods: {total / 1e6:.0f} MB",
        f"the cluster itself: {cluster / 1e6:.0f} MB",
    ]
    assert total + cluster < MOST_MEMORY


def test_another_cluster_is_not_touched_without_consent(on_kubernetes: System) -> None:
    on_kubernetes.environment.pop("LAB_CONTEXT")
    record = on_kubernetes.home.root / "kubernetes-clusters.json"
    kept = record.read_text()
    record.unlink()
    try:
        said = on_kubernetes.lab("down", code=1)
        assert "never used this cluster" in said
        assert not on_kubernetes.unready()
    finally:
        record.write_text(kept)
        on_kubernetes.environment["LAB_CONTEXT"] = "civildiy-test"


@pytest.mark.parametrize("name", LIVE)
def test_live_tests(on_kubernetes: System, tmp_path: Path, name: str) -> None:
    """The same tests as on the other backends."""
    assert on_kubernetes.suite(name, tmp_path / "live.xml", f"tests/live/test_{name}.py")


@pytest.mark.parametrize("name", OTHERS)
def test_other_live_tests(on_kubernetes: System, tmp_path: Path, name: str) -> None:
    """Run by hand (`.ci/kubernetes other_live`), because together they take longer than all the rest."""
    assert on_kubernetes.suite(
        name, tmp_path / "live.xml", f"tests/live/test_{name}.py", "-m", "not campaign"
    )


@pytest.mark.parametrize("lab", LABS)
def test_checks_of_a_lab(on_kubernetes: System, tmp_path: Path, lab: str) -> None:
    assert len(on_kubernetes.suite(lab, tmp_path / "checks.xml", f"checks/test_{lab}.py")) > 5


def test_a_learners_code_runs_in_its_pod(on_kubernetes: System) -> None:
    """Start, a save, a check of a wrong and of a right file, and back to the platform's code."""
    file = REPO / "labs" / "01-services" / "api.py"
    starter = file.read_text()
    try:
        on_kubernetes.lab("start", "01")
        assert on_kubernetes.lab("check", "01", code=3)
        solution = (REPO / "platform" / "civildiy" / "profile" / "api.py").read_text()
        file.write_text(solution)
        on_kubernetes.lab("check", "01", "--step", "1")
    finally:
        file.write_text(starter)
        on_kubernetes.lab("stop", "01")
    on_kubernetes.until_healthy()
