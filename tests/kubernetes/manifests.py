"""Read the manifests of the base as they are in the repository, without kustomize."""

from pathlib import Path
from typing import Any

import yaml

from lab.backends.kubernetes.generate import KUBERNETES

BASE = KUBERNETES / "base"
WORKLOADS = ("Deployment", "StatefulSet", "Job")


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


def workload(unit: str) -> dict[str, Any]:
    (found,) = (found for found in documents(BASE / f"{unit}.yaml") if found["kind"] in WORKLOADS)
    return found


def container(unit: str) -> dict[str, Any]:
    (found,) = workload(unit)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def service(unit: str) -> dict[str, Any]:
    (found,) = (found for found in documents(BASE / f"{unit}.yaml") if found["kind"] == "Service")
    return found


def patch(name: str, folder: Path = BASE) -> dict[str, Any]:
    """Return what a file of JSON patches sets, by path; of several values for one path, a list."""
    found: dict[str, Any] = {}
    for change in yaml.safe_load((folder / "patches" / f"{name}.yaml").read_text()):
        if change["path"].endswith("/-"):
            found.setdefault(change["path"], []).append(change["value"])
        else:
            found[change["path"]] = change["value"]
    return found
