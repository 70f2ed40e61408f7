"""What Kubernetes does to pods every day: nothing that was accepted is lost, and no request fails."""

import json
import signal
from pathlib import Path

import pytest
from kubernetes.configs import NODE
from kubernetes.load import Load
from kubernetes.system import System

from lab.topology import SERVICES, UNITS, WORKERS

NAMESPACE = ("--namespace", "civildiy")
ROLLOUT_SECONDS = 180
LEAST = 20
"""A test under load proves something only if this many requests succeeded meanwhile."""


def names(on_kubernetes: System, unit: str) -> set[str]:
    """Return the names of the unit's pods."""
    selector = f"app.kubernetes.io/name={unit}"
    found = on_kubernetes.cluster.kubectl(*NAMESPACE, "get", "pods", "-l", selector, "-o", "name")
    return set(found.split())


def rolled_out(on_kubernetes: System, unit: str) -> None:
    """Wait until the update of a unit is complete, and its old pods are gone."""
    wait = f"--timeout={ROLLOUT_SECONDS}s"
    on_kubernetes.run("kubectl", *NAMESPACE, "rollout", "status", f"deployment/{unit}", wait)


def verified(on_kubernetes: System, load: Load) -> None:
    """Compare the feed with MongoDB, and find every post that was accepted."""
    on_kubernetes.until_healthy()
    on_kubernetes.until(lambda: lag(on_kubernetes) == 0, 60, "an empty backlog")
    on_kubernetes.lab("verify")
    assert load.accepted() > 0
    assert load.lost_or_doubled() == []


def lag(on_kubernetes: System) -> int:
    return int(json.loads(on_kubernetes.lab("lag", "--json"))["lag_events"])


@pytest.mark.parametrize("unit", [*SERVICES, "traefik"])
def test_a_rolling_update_fails_no_request(on_kubernetes: System, unit: str) -> None:
    on_kubernetes.until_healthy()
    before = names(on_kubernetes, unit)
    load = Load(on_kubernetes.gateway)
    with load.running():
        on_kubernetes.until(lambda: load.done > LEAST, 30, "the load")
        on_kubernetes.run("kubectl", *NAMESPACE, "rollout", "restart", f"deployment/{unit}")
        rolled_out(on_kubernetes, unit)
        on_kubernetes.until(lambda: not before & names(on_kubernetes, unit), 60, "the end of the old pod")
        at_end = load.done
        on_kubernetes.until(lambda: load.done > at_end + LEAST, 30, "more load")
    on_kubernetes.figures.append(f"rolling update of {unit}: {load.done} requests, {len(load.failed)} failed")
    assert load.failed == []


@pytest.mark.parametrize("unit", WORKERS)
def test_a_rolling_update_of_a_worker_loses_no_event(on_kubernetes: System, unit: str) -> None:
    on_kubernetes.until_healthy()
    load = Load(on_kubernetes.gateway)
    with load.running():
        on_kubernetes.until(lambda: load.done > LEAST, 30, "the load")
        on_kubernetes.run("kubectl", *NAMESPACE, "rollout", "restart", f"deployment/{unit}")
        rolled_out(on_kubernetes, unit)
    assert load.failed == []
    verified(on_kubernetes, load)


@pytest.mark.parametrize("unit", UNITS)
def test_a_killed_program_comes_back(on_kubernetes: System, unit: str) -> None:
    on_kubernetes.until_healthy()
    before = on_kubernetes.backend.pid_of(unit)
    on_kubernetes.backend.signal(unit, signal.SIGKILL)
    on_kubernetes.until(
        lambda: on_kubernetes.backend.pid_of(unit) not in (None, before), 60, f"another {unit}"
    )
    on_kubernetes.until_healthy()


@pytest.mark.parametrize("unit", UNITS)
def test_a_deleted_pod_is_replaced_and_keeps_its_data(on_kubernetes: System, unit: str) -> None:
    on_kubernetes.until_healthy()
    load = Load(on_kubernetes.gateway)
    with load.running(users=1):
        on_kubernetes.until(lambda: load.accepted() > 2, 30, "some posts")
    (pod,) = names(on_kubernetes, unit)
    on_kubernetes.cluster.kubectl(*NAMESPACE, "delete", pod, "--grace-period=0", "--force")
    on_kubernetes.until(lambda: bool(names(on_kubernetes, unit)), 60, f"another {unit}")
    verified(on_kubernetes, load)


@pytest.mark.parametrize("unit", SERVICES)
def test_an_evicted_pod_of_two_fails_no_request(on_kubernetes: System, unit: str, tmp_path: Path) -> None:
    on_kubernetes.until_healthy()
    on_kubernetes.run("kubectl", *NAMESPACE, "scale", f"deployment/{unit}", "--replicas=2")
    try:
        rolled_out(on_kubernetes, unit)
        pod = sorted(names(on_kubernetes, unit))[0].removeprefix("pod/")
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": "civildiy"},
        }
        (tmp_path / "eviction.json").write_text(json.dumps(eviction))
        load = Load(on_kubernetes.gateway)
        with load.running():
            on_kubernetes.until(lambda: load.done > LEAST, 30, "the load")
            path = f"/api/v1/namespaces/civildiy/pods/{pod}/eviction"
            on_kubernetes.run("kubectl", "create", "--raw", path, "-f", tmp_path / "eviction.json")
            on_kubernetes.until(
                lambda: f"pod/{pod}" not in names(on_kubernetes, unit), 60, "the end of the pod"
            )
            at_end = load.done
            on_kubernetes.until(lambda: load.done > at_end + LEAST, 30, "more load")
        assert load.failed == []
    finally:
        on_kubernetes.run("kubectl", *NAMESPACE, "scale", f"deployment/{unit}", "--replicas=1")


def test_projectors_are_scaled_up_and_down(on_kubernetes: System) -> None:
    on_kubernetes.until_healthy()
    load = Load(on_kubernetes.gateway)
    with load.running():
        for replicas in (3, 1):
            on_kubernetes.run(
                "kubectl", *NAMESPACE, "scale", "deployment/feed-projector", f"--replicas={replicas}"
            )
            rolled_out(on_kubernetes, "feed-projector")
            at_end = load.done
            on_kubernetes.until(lambda at=at_end: load.done > at + LEAST, 60, "more load")  # type: ignore[misc]
    assert load.failed == []
    verified(on_kubernetes, load)


def test_a_drained_node_takes_its_pods_back(on_kubernetes: System) -> None:
    on_kubernetes.until_healthy()
    load = Load(on_kubernetes.gateway)
    with load.running():
        on_kubernetes.until(lambda: load.accepted() > LEAST, 60, "some posts")
    drain = ["drain", NODE, "--delete-emptydir-data", "--force", "--timeout=120s"]
    on_kubernetes.timed("drain of the node", lambda: on_kubernetes.run("kubectl", *drain))
    try:
        assert all(not on_kubernetes.backend.pid_of(unit) for unit in UNITS)
    finally:
        on_kubernetes.run("kubectl", "uncordon", NODE)
    on_kubernetes.timed("ready again after the drain", on_kubernetes.until_healthy)
    verified(on_kubernetes, load)


def test_the_node_is_restarted(on_kubernetes: System) -> None:
    """All containers end without SIGTERM, and so do the runtime and the kubelet."""
    on_kubernetes.until_healthy()
    load = Load(on_kubernetes.gateway)
    with load.running():
        on_kubernetes.until(lambda: load.accepted() > LEAST, 60, "some posts")
    on_kubernetes.cluster.stop_node()
    assert on_kubernetes.unready()
    on_kubernetes.cluster.start_node()
    on_kubernetes.timed("ready again after the node's restart", lambda: on_kubernetes.until_healthy(180))
    verified(on_kubernetes, load)


def test_a_storm_of_three_minutes(on_kubernetes: System) -> None:
    on_kubernetes.until_healthy()
    said = on_kubernetes.lab("storm", "--minutes", "3", seconds=900)
    on_kubernetes.figures.append(said.strip().splitlines()[-1])
