"""Call `kubectl` on one context and in one namespace, and never on another."""

import json
import os
import shutil
import subprocess
from functools import cached_property
from typing import Any

from lab.backends.kubernetes import consent
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import Home

NAMESPACE = "civildiy"
SECONDS = 60.0
SHOWN = 6


class Kubectl:
    """The command `kubectl`, on the context that was current when it was first needed."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @cached_property
    def context(self) -> str:
        """The name of the context: LAB_CONTEXT, else the current one. Raises LabError without any."""
        if named := os.environ.get("LAB_CONTEXT"):
            return named
        return self._call(["config", "current-context"]).strip()

    @cached_property
    def cluster(self) -> str:
        """The identity of the cluster: the uid of a namespace that exists as long as the cluster."""
        return self.read("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").strip()

    def words(self, *arguments: str) -> list[str]:
        """Return the words of a command on this context and namespace."""
        return [_program(), "--context", self.context, "--namespace", NAMESPACE, *arguments]

    def read(self, *arguments: str, seconds: float = SECONDS) -> str:
        """Return the output of a command that changes nothing. Raises LabError when it fails."""
        return self._call(self.words(*arguments)[1:], seconds=seconds)

    def found(self, *arguments: str) -> dict[str, Any]:
        """Return what `kubectl get` finds; {} when the cluster does not answer or has no such object."""
        try:
            answer: dict[str, Any] = json.loads(self.read("get", *arguments, "-o", "json"))
        except (LabError, ValueError):
            return {}
        return answer

    def found_raw(self, path: str) -> dict[str, Any]:
        """Return what the API answers at `path`; {} when this user may not read it."""
        try:
            answer: dict[str, Any] = json.loads(self.read("get", "--raw", path))
        except (LabError, ValueError):
            return {}
        return answer

    def change(self, *arguments: str, given: str | None = None, seconds: float = SECONDS) -> str:
        """Return the output of a command that changes the cluster. Raises LabError when it fails.

        It also raises LabError on a cluster that the user has not named or accepted for ./lab.
        """
        self.must_be_accepted()
        return self._call(self.words(*arguments)[1:], given=given, seconds=seconds)

    def must_be_accepted(self) -> None:
        """Ask before the first change of a cluster that ./lab has not changed before. Raises LabError."""
        consent.must_be_given(self.home, self.cluster, self.context, NAMESPACE)

    def attempt(self, *arguments: str, given: str | None = None, seconds: float = SECONDS) -> bool:
        """Run a command that changes the cluster and may fail; return whether it succeeded."""
        self.must_be_accepted()
        try:
            self._call(self.words(*arguments)[1:], given=given, seconds=seconds)
        except LabError:
            return False
        return True

    def _call(self, arguments: list[str], given: str | None = None, seconds: float = SECONDS) -> str:
        try:
            done = subprocess.run(
                [_program(), *arguments], input=given or "", capture_output=True, text=True, check=False,
                timeout=seconds * slow(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabError(
                f"kubectl {arguments[-2]} … did not end in {seconds * slow():.0f} s. Is the cluster up?"
            ) from None
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()[-SHOWN:]
            raise LabError("kubectl failed: " + "\n  ".join(lines or ["it gave no reason"]))
        return done.stdout


def _program() -> str:
    if not (found := shutil.which("kubectl")):
        raise LabError(
            "LAB_BACKEND=kubernetes needs the command kubectl, which is not on PATH. Install it:"
            " https://kubernetes.io/docs/tasks/tools/"
        )
    return found
