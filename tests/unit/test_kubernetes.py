"""The manifests for Kubernetes agree with the topology, the settings, Compose and the pinned versions."""

import re
from typing import Any

import pytest
import yaml
from kubernetes.manifests import BASE, WORKLOADS, container, documents, patch, service, workload

from lab import topology
from lab.backends.kubernetes import generate
from lab.backends.settings import SECRETS
from lab.home import REPO, SETTINGS
from lab.install.pins import pins
from lab.topology import BY_NAME, OURS, SERVERS, SERVICES, STORES, TASKS, TOOLS, UNITS, WORKERS

PRODUCTION = generate.KUBERNETES / "overlays" / "production"
CONTAINERS: dict[str, dict[str, Any]] = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
ALL = (*UNITS, *TASKS, *TOOLS)


def path_of(probe: dict[str, Any]) -> str:
    return str(probe["httpGet"]["path"])


def test_generated_files_are_current() -> None:
    for file, text in generate.files().items():
        assert file.read_text() == text, f"{file} is outdated: python -P -m lab.backends.kubernetes.generate"
    assert set((BASE / "settings").iterdir()) <= set(generate.files())  # nothing is left over


def test_the_base_contains_each_unit_task_and_tool_once() -> None:
    others = {"namespace.yaml", "network-policies.yaml"}
    assert set(KUSTOMIZATION["resources"]) - others == {f"{name}.yaml" for name in ALL}
    assert {file.name for file in BASE.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}


@pytest.mark.parametrize("name", ALL)
def test_a_workload_is_named_as_its_unit(name: str) -> None:
    found = workload(name)
    labels = found["spec"]["template"]["metadata"]["labels"]
    kind = BY_NAME[name].kind if name in UNITS else "task" if name in TASKS else "tool"
    assert labels == {"app.kubernetes.io/name": name, "unit": name, "kind": kind}
    assert (found["metadata"]["name"], found["metadata"]["labels"]) == (name, {"kind": kind})
    if kind != "task":
        assert found["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": name}}


@pytest.mark.parametrize("unit", topology.ports())
def test_a_service_has_the_port_of_the_topology(unit: str) -> None:
    found = service(unit)
    assert found["metadata"]["name"] == unit
    assert found["spec"]["selector"] == {"app.kubernetes.io/name": unit}
    assert BY_NAME[unit].port in [port["port"] for port in found["spec"]["ports"]]


def test_published_ports_are_those_of_a_service() -> None:
    for entry in topology.PUBLISHED.values():
        if entry.unit in UNITS:
            assert entry.port in [port["port"] for port in service(entry.unit)["spec"]["ports"]]


def test_each_unit_is_asked_for_its_health_where_the_topology_says() -> None:
    asked = {server: path_of(container(server)["readinessProbe"]) for server in ("consul", "traefik")}
    path = "/spec/template/spec/containers/0/readinessProbe"
    asked |= dict.fromkeys(SERVICES, path_of(patch("services")[path]))
    assert asked == topology.health()
    assert all("readinessProbe" in container(store) for store in STORES)
    (program,) = (word for word in patch("workers")[path]["exec"]["command"] if word.endswith(".py"))
    assert (REPO / "platform" / program.removeprefix("/app/")).is_file()


@pytest.mark.parametrize("name", [*UNITS, *TASKS])
def test_limits_are_the_measured_ones_of_compose(name: str) -> None:
    limit = CONTAINERS[name]["mem_limit"].replace("m", "Mi")
    resources = container(name)["resources"]
    assert resources["limits"] == {"memory": limit}
    assert resources["requests"]["memory"] == limit  # a node never promises more memory than it has


@pytest.mark.parametrize("name", [*OURS, *TASKS])
def test_our_programs_are_those_of_compose(name: str) -> None:
    assert container(name)["args"] == CONTAINERS[name]["command"]


@pytest.mark.parametrize("store", [store for store in STORES if "command" in CONTAINERS[store]])
def test_servers_have_the_options_of_compose(store: str) -> None:
    assert container(store)["args"] == CONTAINERS[store]["command"]


def test_consul_has_the_options_of_compose() -> None:
    added = {"consul", "-data-dir=/consul/data", "-bind=127.0.0.1"}
    assert set(container("consul")["command"]) == {*CONTAINERS["consul"]["command"], *added}


def test_images_are_the_pinned_ones() -> None:
    set_ = {image["name"]: f"{image['newName']}:{image['newTag']}" for image in KUSTOMIZATION["images"]}
    pinned = {unit: image for unit, image in pins().images.items() if unit != "python"}
    assert set_ == pinned | {"civildiy-lab": CONTAINERS["auth"]["image"]}
    assert {container(server)["image"] for server in SERVERS} == set(SERVERS)


@pytest.mark.parametrize("name", [*OURS, *TASKS, *TOOLS])
def test_every_setting_reaches_the_container(name: str) -> None:
    """Those without a value in the ConfigMaps are secrets, or differ from pod to pod."""
    env = [*container(name).get("env", []), *patch("ours")["/spec/template/spec/containers/0/env/-"]]
    if name in SERVICES:
        env += patch("services")["/spec/template/spec/containers/0/env/-"]
    maps = [source["configMapRef"]["name"] for source in container(name)["envFrom"]]
    texts = [(BASE / "settings" / f"{file}.env").read_text() for file in maps]
    given = {entry["name"] for entry in env} | {line.partition("=")[0] for line in "\n".join(texts).split()}
    files = [name, *(["common"] if name in SERVICES else [])]
    lines = "\n".join((SETTINGS / f"{file}.env").read_text() for file in files).split("\n")
    wanted = [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")]
    assert set(wanted) <= given
    assert maps == sorted(files, key=lambda file: file != "common")


def test_secrets_come_from_the_secret_alone() -> None:
    for name in ALL:
        for entry in container(name).get("env", []):
            if key := entry.get("valueFrom", {}).get("secretKeyRef"):
                assert (key["name"], key["key"] in SECRETS) == ("secrets", True)
    for file in (BASE / "settings").glob("*.env"):
        assert not re.search(r"(PASSWORD|SECRET|PASSPHRASE)=", file.read_text()), file


def test_the_topology_knows_every_call_that_the_settings_make_possible() -> None:
    """The network allows only what the topology lists, so a call that is missing there would be blocked."""
    files = {name: [name] for name in (*OURS, *TASKS, *TOOLS, "traefik")}
    for name in SERVICES:
        files[name] = [name, "common"]
    for name, parts in files.items():
        text = "\n".join((SETTINGS / f"{part}.env").read_text() for part in parts)
        hosts = {host.lower().replace("_", "-") for host in re.findall(r"\$\{HOST_(\w+):-", text)}
        assert hosts & set(UNITS) - {name} == set(topology.calls(name)), name


def test_the_network_allows_the_calls_and_nothing_else() -> None:
    allowed: set[tuple[str, str, int]] = set()
    received: set[tuple[str, str, int]] = set()
    policies = {
        found["metadata"]["name"]: found["spec"] for found in documents(BASE / "network-policies.yaml")
    }
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [rule["ports"][0]["port"] for rule in policies.pop("names")["egress"]] == [53]
    assert policies.pop("visitors")["podSelector"]["matchLabels"] == {"unit": "traefik"}
    for spec in policies.values():
        own = spec["podSelector"]["matchLabels"]["unit"]
        for rule in spec.get("egress", []):
            allowed |= {
                (own, to["podSelector"]["matchLabels"]["unit"], rule["ports"][0]["port"]) for to in rule["to"]
            }
        for rule in spec.get("ingress", []):
            froms = [peer["podSelector"]["matchLabels"]["unit"] for peer in rule["from"]]
            received |= {(caller, own, rule["ports"][0]["port"]) for caller in froms}
    expected = {(caller, callee) for caller in ALL for callee in topology.calls(caller)}
    expected |= {(server, name) for server in ("traefik", "consul") for name in SERVICES}
    assert allowed == received == {(caller, callee, topology.ports()[callee]) for caller, callee in expected}


def test_every_pod_fulfils_the_strictest_standard() -> None:
    """A cluster refuses other pods; `tests/kubernetes` tries that on a real one."""
    (namespace,) = documents(BASE / "namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    every = patch("every-pod")
    closed = every["/spec/template/spec/containers/0/securityContext"]
    assert closed == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert every["/spec/template/spec/enableServiceLinks"] is False
    assert every["/spec/template/spec/automountServiceAccountToken"] is False
    targets = {entry["path"]: entry["target"] for entry in KUSTOMIZATION["patches"]}
    assert targets["patches/every-pod.yaml"] == {"kind": "|".join(WORKLOADS)}
    assert patch("ours")["/spec/template/spec/securityContext"]["runAsNonRoot"] is True
    assert patch("servers")["/spec/template/spec/securityContext/runAsNonRoot"] is True
    for server in SERVERS:
        assert workload(server)["spec"]["template"]["spec"]["securityContext"]["runAsUser"] > 0


def test_production_scales_and_protects_what_can_have_several_pods() -> None:
    scaled = {
        found["spec"]["scaleTargetRef"]["name"]: found["spec"]
        for found in documents(PRODUCTION / "scaling.yaml")
    }
    assert set(scaled) == {*SERVICES, "traefik", "feed-projector"}
    assert all(spec["minReplicas"] >= 2 for name, spec in scaled.items() if name != "feed-projector")
    protected = {
        found["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: found["spec"]["maxUnavailable"]
        for found in documents(PRODUCTION / "disruption.yaml")
    }
    assert protected == dict.fromkeys((*SERVICES, *WORKERS, "traefik"), 1)


def test_production_has_no_store_of_its_own() -> None:
    text = (PRODUCTION / "kustomization.yaml").read_text()
    patches = yaml.safe_load(text)["patches"]
    deleted = next(
        entry["target"]["name"] for entry in patches if entry.get("path", "").endswith("no-store.yaml")
    )
    assert set(deleted.split("|")) == set(STORES)
    elsewhere = {entry["target"]["name"] for entry in patches if "ExternalName" in entry.get("patch", "")}
    assert elsewhere == set(STORES)
    ports = {
        found["spec"]["egress"][0]["ports"][0]["port"]
        for found in documents(PRODUCTION / "store-policies.yaml")
    }
    assert ports == {topology.ports()[store] for store in STORES}


def test_everything_refers_to_files_that_exist() -> None:
    for folder in (BASE, *sorted((generate.KUBERNETES / "overlays").iterdir())):
        found = yaml.safe_load((folder / "kustomization.yaml").read_text())
        paths = [*found["resources"], *(entry["path"] for entry in found["patches"] if "path" in entry)]
        paths += [file for entry in found.get("configMapGenerator", ())
                  for file in (*entry.get("envs", ()), *entry.get("files", ()))]  # fmt: skip
        assert [path for path in paths if not (folder / path).exists()] == []
