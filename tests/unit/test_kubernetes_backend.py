"""The Kubernetes backend without a cluster: consent, manifests with learner files, the state of pods."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.backends import overrides
from lab.backends.choice import chosen
from lab.backends.kubernetes import consent, diagnosis, pods
from lab.backends.kubernetes.backend import KubernetesBackend
from lab.backends.kubernetes.generate import KUBERNETES
from lab.backends.kubernetes.kubectl import Kubectl
from lab.backends.kubernetes.manifests import Manifests, learner_files
from lab.backends.kubernetes.pods import Pods
from lab.errors import LabError
from lab.home import LABS, Home

CODE = "civildiy.profile.api=01-services/api.py,civildiy.profile.schemas=01-services/schemas.py"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for variable in ("LAB_CONTEXT", "LAB_OVERRIDES", "LAB_BACKEND"):
        monkeypatch.delenv(variable, raising=False)
    return Home(tmp_path)


def test_only_its_name_chooses_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(home).kind != "kubernetes"
    monkeypatch.setenv("LAB_BACKEND", "kubernetes")
    assert isinstance(chosen(home), KubernetesBackend)


class TestConsent:
    def test_an_unknown_cluster_is_refused_without_a_terminal(self, home: Home) -> None:
        with pytest.raises(LabError, match="never used this cluster") as refused:
            consent.must_be_given(home, "uid-1", "prod", "civildiy")
        assert "LAB_CONTEXT=prod ./lab up" in str(refused.value)
        assert list(home.root.iterdir()) == []

    def test_a_named_context_is_accepted_and_remembered(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LAB_CONTEXT", "laptop")
        consent.must_be_given(home, "uid-1", "laptop", "civildiy")
        monkeypatch.delenv("LAB_CONTEXT")
        consent.must_be_given(home, "uid-1", "another name", "civildiy")

    def test_a_name_that_now_leads_to_another_cluster_is_asked_about_again(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LAB_CONTEXT", "laptop")
        consent.must_be_given(home, "uid-1", "laptop", "civildiy")
        monkeypatch.delenv("LAB_CONTEXT")
        with pytest.raises(LabError, match="never used this cluster"):
            consent.must_be_given(home, "uid-2", "laptop", "civildiy")

    def test_every_change_needs_it_and_looking_does_not(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[Sequence[str]] = []

        def call(_: Kubectl, arguments: list[str], *rest: object, **more: object) -> str:
            called.append(arguments)
            return "uid-1" if "kube-system" in arguments else "prod"

        monkeypatch.setattr(Kubectl, "_call", call)
        monkeypatch.setattr("lab.backends.kubernetes.kubectl._program", lambda: "kubectl")  # may be missing
        kubectl = Kubectl(home)
        assert kubectl.read("get", "pods")
        for act in (kubectl.change, kubectl.attempt):
            with pytest.raises(LabError, match="never used this cluster"):
                act("delete", "pods", "--all")
        assert not [arguments for arguments in called if "delete" in arguments]


@pytest.fixture
def made(home: Home, monkeypatch: pytest.MonkeyPatch) -> Manifests:
    """Provide the manifests as they are before kustomize patches them."""
    found = Manifests(home, Kubectl(home))
    documents = [
        d for file in (KUBERNETES / "base").glob("*.yaml") for d in yaml.safe_load_all(file.read_text())
    ]
    for document in documents:
        document.setdefault("metadata", {})["namespace"] = "civildiy"
    found.__dict__["documents"] = documents
    return found


class TestManifests:
    def test_without_overrides_a_unit_is_as_in_the_file(self, made: Manifests) -> None:
        (document,) = made.of("profile")
        assert document["metadata"]["name"] == "profile"
        assert "volumes" not in document["spec"]["template"]["spec"]

    def test_a_stopped_unit_is_started_when_it_is_applied(self, made: Manifests) -> None:
        assert [made.of(unit)[0]["spec"]["replicas"] for unit in ("profile", "redis", "feed-tool")] == [
            1,
            1,
            1,
        ]

    def test_an_override_replaces_a_setting(self, made: Manifests, home: Home) -> None:
        overrides.write(home, "posts-relay", {"RELAY_ID": "mine", "LOG_LEVEL": "WARNING"})
        (document,) = made.of("posts-relay")
        env = document["spec"]["template"]["spec"]["containers"][0]["env"]
        assert [entry for entry in env if entry["name"] == "RELAY_ID"] == [
            {"name": "RELAY_ID", "value": "mine"}
        ]
        assert {"name": "LOG_LEVEL", "value": "WARNING"} in env

    def test_a_learners_files_are_where_the_image_looks_for_them(self, made: Manifests, home: Home) -> None:
        overrides.write(home, "profile", {"LAB_CODE": CODE})
        files, document = made.of("profile")
        spec = document["spec"]["template"]["spec"]
        (volume,) = spec["volumes"]
        paths = {item["path"]: item["key"] for item in volume["configMap"]["items"]}
        assert set(paths) == {"01-services/api.py", "01-services/schemas.py", "01-services/exercise.toml"}
        assert volume["configMap"]["name"] == files["metadata"]["name"]
        assert spec["containers"][0]["volumeMounts"] == [{"name": "labs", "mountPath": "/labs"}]
        for path, key in paths.items():
            assert files["data"][key] == (LABS / path).read_text()

    def test_the_tools_run_what_feed_runs(self, made: Manifests, home: Home) -> None:
        overrides.write(home, "feed", {"LAB_CODE": "civildiy.feed.queries=08-cqrs/queries.py"})
        assert [document["metadata"]["name"] for document in made.of("feed-tool")] == [
            "learner-feed-tool", "feed-tool",
        ]  # fmt: skip

    def test_a_second_instance_is_selected_apart_and_keeps_the_network_of_the_first(
        self, made: Manifests
    ) -> None:
        (document,) = made.of("profile-2")
        labels = document["spec"]["template"]["metadata"]["labels"]
        assert document["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": "profile-2"}
        assert (labels["app.kubernetes.io/name"], labels["unit"]) == ("profile-2", "profile")
        assert made.of("profile")[0]["metadata"]["name"] == "profile"

    def test_all_files_of_a_lab_fit_into_a_configmap(self) -> None:
        sizes = [sum(file.stat().st_size for file in folder.glob("*.py")) for folder in LABS.iterdir()]
        assert max(sizes) < 500_000
        assert learner_files({}) == []


def pod(name: str, created: str, *, ending: bool = False, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": {pods.NAME: "auth"}, "creationTimestamp": created}
    if ending:
        metadata["deletionTimestamp"] = created
    return {"metadata": metadata, "spec": {}, "status": {"containerStatuses": [status] if status else []}}


def seen(home: Home, *found: dict[str, Any]) -> Pods:
    made = Pods(Kubectl(home))
    made._seen = (float("inf"), list(found))
    return made


RUNNING: dict[str, Any] = {
    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    "containerID": "containerd://0abcdef123456",
}


class TestPods:
    def test_the_newest_pod_that_is_not_ending_counts(self, home: Home) -> None:
        found = seen(home, pod("b", "2"), pod("c", "3", ending=True), pod("a", "1"))
        current = found.current("auth")
        assert current
        assert current["metadata"]["name"] == "b"
        assert found.current("posts") is None

    def test_an_answer_that_took_long_serves_the_next_questions(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[tuple[str, ...]] = []

        def slow(_: Kubectl, *arguments: str) -> dict[str, Any]:
            calls.append(arguments)
            time.sleep(pods.FRESH_SECONDS * 1.5)
            return {"items": [pod("a", "1")]}

        monkeypatch.setattr(Kubectl, "found", slow)
        found = Pods(Kubectl(home))
        assert all(found.current("auth") for _ in range(5))
        assert len(calls) == 1

    def test_each_start_has_another_number(self) -> None:
        first = pods.number(pod("a", "1", **RUNNING))
        other = pods.number(pod("a", "1", **RUNNING | {"containerID": "containerd://1abcdef123456"}))
        assert None not in (first, other)
        assert first != other
        assert pods.number(pod("a", "1", state={"waiting": {}})) is None

    def test_a_missing_image_is_told_at_once(self) -> None:
        waiting: dict[str, Any] = {
            "state": {"waiting": {"reason": "ImagePullBackOff"}},
            "image": "civildiy-lab:local",
        }
        assert "civildiy-lab:local is not there" in pods.trouble(pod("a", "1", **waiting))
        assert pods.trouble(pod("a", "1", **RUNNING)) == ""

    def test_a_command_needs_a_pod_that_runs(self, home: Home) -> None:
        with pytest.raises(LabError, match="auth is not running"):
            seen(home, pod("a", "1", state={"waiting": {}})).running("auth")


def test_faults_that_need_another_backend_say_which(home: Home) -> None:
    backend = KubernetesBackend(home)
    for act in (backend.cut_off, backend.fill_disk, lambda unit: backend.skew_clock(unit, 5)):
        with pytest.raises(LabError, match="only possible with LAB_BACKEND=native"):
            act("auth")
    backend.skew_clock("auth", 0)
    with pytest.raises(LabError, match="no unit"):
        backend.cut_off("auth-3")


def test_doctor_names_what_a_cluster_lacks(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "nodes": {"items": [{"status": {"allocatable": {"memory": "1048576Ki"}}}]},
        "storageclasses": {"items": [{"metadata": {"name": "slow"}}]},
    }
    kubectl = Kubectl(home)
    kubectl.__dict__ |= {"context": "laptop", "cluster": "uid-1"}
    monkeypatch.setattr(kubectl, "found", lambda what: answers[what])
    monkeypatch.setattr(kubectl, "found_raw", lambda path: {"gitVersion": "v1.25.3"})
    remedies = {finding.what: finding.remedy for finding in diagnosis.findings(kubectl)}
    assert "1.27 or newer" in remedies["cluster"]
    assert "3 GB" in remedies["memory of the nodes"]
    assert "StorageClass" in remedies["class of volumes"]
    assert remedies["consent"] == remedies["context"] == ""
    monkeypatch.setattr(kubectl, "found_raw", lambda path: {})
    assert [finding.what for finding in diagnosis.findings(kubectl)] == ["context", "cluster"]
