"""Ask before ./lab changes a cluster for the first time: it may be somebody else's, or in production."""

import json
import os
import sys
from pathlib import Path

import click

from lab.errors import LabError
from lab.home import Home


def must_be_given(home: Home, cluster: str, context: str, namespace: str) -> None:
    """Return when the user has accepted this cluster, now or before. Raises LabError otherwise.

    `cluster` is its identity, because the name of a context can be given to another cluster.
    """
    before = accepted(home)
    if cluster in before:
        return
    if os.environ.get("LAB_CONTEXT") != context and not _asked(context, namespace):
        raise LabError(
            f"The current context of kubectl is {context}, and ./lab has never used this cluster. Nothing was"
            f" changed.\nIf it is the right one, name it once: LAB_CONTEXT={context} ./lab up\n"
            "Another one: kubectl config get-contexts; kubectl config use-context NAME"
        )
    _file(home).parent.mkdir(parents=True, exist_ok=True)
    _file(home).write_text(json.dumps(before | {cluster: context}))


def _asked(context: str, namespace: str) -> bool:
    """Ask the user at a terminal; without one the answer is no."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return click.confirm(
        f"./lab has never used the cluster of the context {context}. It would create and delete objects in"
        f" its namespace {namespace}. Go on?"
    )


def accepted(home: Home) -> dict[str, str]:
    """Return the clusters that the user has accepted: identity to the name that its context had."""
    try:
        found: dict[str, str] = json.loads(_file(home).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _file(home: Home) -> Path:
    return home.root / "kubernetes-clusters.json"
