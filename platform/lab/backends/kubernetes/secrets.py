"""The system's secrets in a cluster. The cluster's own copy counts: its databases were created with it."""

import base64
import json
from pathlib import Path

from lab.backends.kubernetes.kubectl import NAMESPACE, Kubectl
from lab.backends.settings import SECRETS, ensure_secrets
from lab.home import Home

NAME = "secrets"


def ensure(home: Home, kubectl: Kubectl) -> None:
    """Create the Secret in the cluster if it is missing there."""
    if _stored(kubectl):
        return
    values = ensure_secrets(_file(home, kubectl))
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "stringData": {name: values[name] for name in SECRETS},
    }  # fmt: skip
    kubectl.change("apply", "-f", "-", given=json.dumps(secret))


def read(home: Home, kubectl: Kubectl) -> dict[str, str]:
    """Return the secrets that the running system uses, else those that the next one will use."""
    return _stored(kubectl) or ensure_secrets(_file(home, kubectl))


def forget(home: Home, kubectl: Kubectl) -> None:
    """Delete this machine's copy."""
    _file(home, kubectl).unlink(missing_ok=True)


def _stored(kubectl: Kubectl) -> dict[str, str]:
    data = kubectl.found("secret", NAME).get("data", {})
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


def _file(home: Home, kubectl: Kubectl) -> Path:
    return home.root / "kubernetes-secrets" / f"{kubectl.cluster}.env"
