"""The manifests of the overlay `laptop`, with the overrides and the learner's files of each unit."""

import copy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lab.backends import overrides
from lab.backends.kubernetes.generate import KUBERNETES
from lab.backends.kubernetes.kubectl import Kubectl
from lab.home import LABS, Home
from lab.topology import SECOND, TOOLS, first

OVERLAY = KUBERNETES / "overlays" / "laptop"
TOOL = next(iter(TOOLS))
LIKE = {TOOL: "feed"}
"""A unit that runs the same files of a learner as another one."""
MOUNTED = "/labs"
ALSO = "exercise.toml"
"""It lies beside a learner's file, and names the parts that the learner writes."""

Document = dict[str, Any]


class Manifests:
    """The documents of the overlay `laptop`, by kind and name."""

    def __init__(self, home: Home, kubectl: Kubectl) -> None:
        self._home = home
        self._kubectl = kubectl

    @cached_property
    def documents(self) -> list[Document]:
        """Everything that kustomize makes of the overlay."""
        text = self._kubectl.read("kustomize", str(OVERLAY))
        return [document for document in yaml.safe_load_all(text) if document]

    def everything(self) -> str:
        """Return all documents as one text, for `kubectl apply`."""
        changed = []
        for document in self.documents:
            name = document["metadata"]["name"]
            changed += self.of(name) if document["kind"] in ("Deployment", "StatefulSet") else [document]
        return yaml.safe_dump_all(changed)

    def job(self, name: str) -> str:
        """Return the document of a task."""
        return yaml.safe_dump_all(
            d for d in self.documents if (d["kind"], d["metadata"]["name"]) == ("Job", name)
        )

    def of(self, unit: str) -> list[Document]:
        """Return a unit's own document, with its overrides, and the learner's files as a ConfigMap."""
        document = copy.deepcopy(self._workload(first(unit)))
        # Without a number in it, `kubectl apply` would leave a stopped unit stopped.
        document["spec"].setdefault("replicas", 1)
        if unit != first(unit):
            _rename(document, unit)
        settings = overrides.read(self._home, LIKE.get(first(unit), first(unit)))
        container = document["spec"]["template"]["spec"]["containers"][0]
        if settings:
            kept = [entry for entry in container.get("env", []) if entry["name"] not in settings]
            container["env"] = kept + [{"name": name, "value": value} for name, value in settings.items()]
        files = learner_files(settings)
        if not files:
            return [document]
        return [*self.files(unit, settings), _with_files(document, unit, files)]

    def files(self, unit: str, settings: Mapping[str, str]) -> list[Document]:
        """Return the ConfigMap with the learner's files that the settings name, without missing ones."""
        data = {
            _key(name): (LABS / name).read_bytes()
            for name in learner_files(settings)
            if (LABS / name).is_file()
        }
        return [
            {
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": _config_map(unit), "namespace": self._namespace},
                "data": {key: content.decode(errors="replace") for key, content in data.items()},
            }
        ]  # fmt: skip

    @property
    def _namespace(self) -> str:
        return str(self._workload("feed")["metadata"]["namespace"])

    def kind(self, unit: str) -> str:
        """Return `deployment` or `statefulset`."""
        return str(self._workload(first(unit))["kind"]).lower()

    def _workload(self, name: str) -> Document:
        return next(
            document for document in self.documents
            if document["kind"] in ("Deployment", "StatefulSet") and document["metadata"]["name"] == name
        )  # fmt: skip


def learner_files(settings: Mapping[str, str]) -> list[str]:
    """Return the files below labs/ that a unit with these settings reads."""
    named = [pair.partition("=")[2] for pair in settings.get("LAB_CODE", "").split(",") if "=" in pair]
    beside = [(Path(name).parent / ALSO).as_posix() for name in named]
    return sorted({*named, *(name for name in beside if (LABS / name).is_file())})


def _config_map(unit: str) -> str:
    return f"learner-{unit}"


def _key(name: str) -> str:
    """Return the key for a file: keys contain no slash. Two names with one key do not occur in labs/."""
    return name.replace("/", "__")


def _with_files(document: Document, unit: str, files: list[str]) -> Document:
    """Mount the files where the image expects labs/."""
    items = [{"key": _key(name), "path": name} for name in files]
    spec = document["spec"]["template"]["spec"]
    volume = {"name": "labs", "configMap": {"name": _config_map(unit), "items": items}}
    spec["volumes"] = [*spec.get("volumes", []), volume]
    spec["containers"][0].setdefault("volumeMounts", []).append({"name": "labs", "mountPath": MOUNTED})
    return document


def _rename(document: Document, unit: str) -> None:
    """Turn a unit's document into that of its second instance. Its label `unit` stays: the same network."""
    assert unit.endswith(SECOND)
    document["metadata"]["name"] = unit
    label = "app.kubernetes.io/name"
    document["spec"]["selector"]["matchLabels"][label] = unit
    document["spec"]["template"]["metadata"]["labels"][label] = unit
