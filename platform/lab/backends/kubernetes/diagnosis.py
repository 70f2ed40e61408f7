"""What `./lab doctor` says about a cluster, before anything is started on it."""

import re
from collections.abc import Iterator

from lab.backends.kubernetes import consent
from lab.backends.kubernetes.kubectl import Kubectl
from lab.errors import LabError
from lab.finding import Finding

OLDEST = (1, 27)
"""The overlay `production` uses matchLabelKeys, which older versions ignore."""
MEMORY = 3_000_000_000
DEFAULT = "storageclass.kubernetes.io/is-default-class"
UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "": 1, "k": 1000, "M": 1000**2, "G": 1000**3}


def findings(kubectl: Kubectl) -> Iterator[Finding]:
    """Yield the finding of each check; after one without an answer the rest cannot be checked."""
    try:
        yield Finding("context", kubectl.context)
        version = kubectl.found_raw("/version").get("gitVersion", "")
    except LabError as error:
        yield Finding("context", str(error), "install kubectl, and choose a context")
        return
    if not version:
        yield Finding(
            "cluster", "it does not answer", "start it, or choose another: LAB_CONTEXT=… ./lab doctor"
        )
        return
    yield _version(version)
    known = kubectl.cluster in consent.accepted(kubectl.home)
    yield Finding(
        "consent", "./lab may change this cluster" if known else "./lab up will ask before it changes it"
    )
    yield from (_memory(kubectl), _volumes(kubectl))


def _version(seen: str) -> Finding:
    found = re.match(r"v(\d+)\.(\d+)", seen)
    new_enough = found is not None and (int(found[1]), int(found[2])) >= OLDEST
    wanted = ".".join(str(part) for part in OLDEST)
    return Finding(
        "cluster", f"Kubernetes {seen}", "" if new_enough else f"Kubernetes {wanted} or newer is needed"
    )


def _memory(kubectl: Kubectl) -> Finding:
    nodes = kubectl.found("nodes").get("items", [])
    total = sum(number_of(node["status"]["allocatable"]["memory"]) for node in nodes)
    remedy = "" if total >= MEMORY else "give the cluster's nodes 3 GB in all"
    return Finding("memory of the nodes", f"{total / 1e9:.1f} GB on {len(nodes)} nodes", remedy)


def _volumes(kubectl: Kubectl) -> Finding:
    classes = kubectl.found("storageclasses").get("items", [])
    default = [
        c["metadata"]["name"] for c in classes if c["metadata"].get("annotations", {}).get(DEFAULT) == "true"
    ]
    remedy = "" if default else "the stores need volumes: make a StorageClass the default one"
    return Finding("class of volumes", default[0] if default else "none is the default", remedy)


def number_of(quantity: str) -> int:
    """Return a quantity of Kubernetes, such as 16384Ki, as a number.

    >>> number_of("2Ki"), number_of("7")
    (2048, 7)
    """
    digits = quantity.rstrip("".join(UNITS))
    return int(float(digits) * UNITS[quantity.removeprefix(digits)])
