"""The manifests are valid: by the schemas of this very release, and by the API server's own judgement."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import schemas
from kubernetes.system import System

from lab.backends.kubernetes.generate import KUBERNETES
from lab.errors import LabError

OVERLAYS = ["laptop", "production"]


def rendered(on_kubernetes: System, overlay: str) -> str:
    return on_kubernetes.cluster.kubectl("kustomize", KUBERNETES / "overlays" / overlay)


@pytest.fixture(scope="module")
def kinds(on_kubernetes: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    assert schemas.write(on_kubernetes.cluster.kubectl("get", "--raw", "/openapi/v2"), folder) > 200
    return folder


def conforms(on_kubernetes: System, kinds: Path, text: str, file: Path, code: int = 0) -> str:
    file.write_text(text)
    location = f"{kinds}/{schemas.LOCATION}"
    program = on_kubernetes.cluster.programs.kubeconform
    return on_kubernetes.run(
        program, "-strict", "-summary", "-schema-location", location, file, code=code
    )  # fmt: skip


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_field_exists_and_has_its_type(
    on_kubernetes: System, kinds: Path, tmp_path: Path, overlay: str
) -> None:
    text = rendered(on_kubernetes, overlay)
    count = len([document for document in yaml.safe_load_all(text) if document])
    said = conforms(on_kubernetes, kinds, text, tmp_path / "all.yaml")
    assert f"Summary: {count} resources found" in said
    assert "Invalid: 0, Errors: 0, Skipped: 0" in said


def test_a_wrong_field_would_be_noticed(on_kubernetes: System, kinds: Path, tmp_path: Path) -> None:
    text = rendered(on_kubernetes, "laptop").replace("periodSeconds:", "periodSecond:", 1)
    assert "periodSecond" in conforms(on_kubernetes, kinds, text, tmp_path / "wrong.yaml", code=1)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_accepts_everything_without_a_warning(
    on_kubernetes: System, tmp_path: Path, overlay: str
) -> None:
    """A warning tells of a field that has no effect, or of a pod that the namespace would refuse."""
    documents: list[dict[str, Any]] = [d for d in yaml.safe_load_all(rendered(on_kubernetes, overlay)) if d]
    # A finished Job cannot be changed, and the one of this namespace has run.
    chosen = [document for document in documents if document["kind"] != "Job"]
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(chosen))
    said = on_kubernetes.cluster.kubectl("apply", "--dry-run=server", "-f", file)
    assert "Warning" not in said
    assert said.count("(server dry run)") == len(chosen)


def test_the_namespace_refuses_a_pod_with_a_folder_of_the_node(on_kubernetes: System, tmp_path: Path) -> None:
    spec = {
        "containers": [{"name": "main", "image": "civildiy-lab:local"}],
        "volumes": [{"name": "labs", "hostPath": {"path": "/"}}],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "wrong", "namespace": "civildiy"},
        "spec": spec,
    }
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    with pytest.raises(LabError, match="violates PodSecurity"):
        on_kubernetes.cluster.kubectl("apply", "--dry-run=server", "-f", tmp_path / "pod.yaml")
