"""The Kubernetes backend: the manifests of platform/deployment/kubernetes on the current context."""

import json
import os
import time
from collections.abc import Mapping

from lab import topology
from lab.backends import overrides, user_settings
from lab.backends.kubernetes import secrets
from lab.backends.kubernetes.access import KubernetesAccess
from lab.backends.kubernetes.faults import KubernetesFaults, known
from lab.backends.kubernetes.kubectl import NAMESPACE, Kubectl
from lab.backends.kubernetes.manifests import LIKE, Manifests, learner_files
from lab.backends.kubernetes.network import Addresses
from lab.backends.kubernetes.pods import Pods, number, selector, trouble
from lab.backends.protocol import Unit
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import REPO, Home
from lab.progress import Progress
from lab.topology import SECONDS, UNITS

UP_SECONDS, END_SECONDS, PROVISION_SECONDS = 300.0, 60.0, 120.0
FOLDER = "civildiy-lab/folder"
"""The annotation of the namespace that names the clone from which the system was started."""


class KubernetesBackend(KubernetesAccess, KubernetesFaults):
    """The system as pods; there is one for each cluster."""

    kind = "kubernetes"

    def __init__(self, home: Home) -> None:
        self._home = home
        self.kubectl = Kubectl(home)
        self._pods = Pods(self.kubectl)
        self._addresses = Addresses(self.kubectl, self._pods)
        self._manifests = Manifests(home, self.kubectl)

    def running(self) -> bool:
        """Return whether a pod of the system exists."""
        return any(self._pods.of(unit) for unit in UNITS)

    def options(self) -> tuple[str, ...]:
        """Return (): this backend has no options yet."""
        return ()

    def belongs_elsewhere(self) -> str:
        """Return the other clone from which the system was started; '' when it is this one."""
        there = (
            self.kubectl.found("namespace", NAMESPACE)
            .get("metadata", {})
            .get("annotations", {})
            .get(FOLDER, "")
        )
        return "" if there in ("", str(REPO)) else str(there)

    def refuse_wrong_settings(self) -> None:
        """Raise LabError for a cluster that the user has not accepted, and for settings that cannot work."""
        user_settings.refuse_wrong(os.environ)
        self.kubectl.must_be_accepted()

    def start(self, progress: Progress) -> None:
        """Apply the manifests, and wait until every unit is ready. Raises LabError."""
        self.refuse_wrong_settings()
        progress.say("start", f"applying the manifests to {self.kubectl.context}")
        namespace = [d for d in self._manifests.documents if d["kind"] == "Namespace"]
        self.kubectl.change("apply", "-f", "-", given=json.dumps(namespace[0]))
        self.kubectl.change("annotate", "--overwrite", "namespace", NAMESPACE, f"{FOLDER}={REPO}")
        secrets.ensure(self._home, self.kubectl)
        # A finished Job stays, and its template cannot be changed.
        self.kubectl.change("delete", "job", *topology.TASKS, "--ignore-not-found")
        self.kubectl.change("apply", "-f", "-", given=self._manifests.everything())
        self._addresses.forget()
        self._wait(progress)
        self._addresses.refuse_unreachable()

    def _wait(self, progress: Progress) -> None:
        deadline = time.monotonic() + UP_SECONDS * slow()
        while waiting := self._waiting_for():
            for unit in waiting:
                self._pods.forget()
                if (pod := self._pods.current(unit)) and (why := trouble(pod)):
                    raise LabError(
                        f"{unit} cannot start: {why}.\nWhat the cluster says about it: ./lab logs supervisor."
                        " How to give a cluster the images: docs/kubernetes.md"
                    )
            if time.monotonic() > deadline:
                raise LabError(
                    f"These units are not ready: {', '.join(waiting)}."
                    f" Find the cause: ./lab logs {waiting[0]}"
                )
            progress.say(
                "start", f"waiting for {waiting[0]}" + f" (+{len(waiting) - 1})" * (len(waiting) > 1)
            )
            time.sleep(0.5)

    def _waiting_for(self) -> list[str]:
        jobs = self.kubectl.found("jobs").get("items", [])
        open_tasks = [job["metadata"]["name"] for job in jobs if not job["status"].get("succeeded")]
        return open_tasks + self._pods.unready((*UNITS, *topology.TOOLS))

    def stop(self) -> None:
        """Delete all pods, and what would create them again; volumes, secrets and addresses stay."""
        self.kubectl.change(
            "delete",
            "deployments,statefulsets,jobs",
            "--all",
            "--cascade=foreground",
            f"--timeout={90 * slow():.0f}s",
            seconds=120,
        )
        self._pods.forget()

    def restart(self, unit: str) -> None:
        """Replace the unit's pod. The old one ends first, as on the other backends."""
        known(unit)
        self.kubectl.change("delete", "pod", "--selector", selector(unit), "--wait=false")
        self._pods.forget()

    def stop_unit(self, unit: str) -> None:
        """Let no pod of the unit run until `start_unit` is called."""
        known(unit)
        if unit in SECONDS:
            self.kubectl.change("delete", "deployment", unit, "--ignore-not-found", "--cascade=foreground")
        else:
            self._scale(unit, 0)
        self._until_gone(unit)

    def start_unit(self, unit: str) -> None:
        """Start one stopped unit. Leave a running one alone."""
        known(unit)
        self._pods.forget()
        if self._pods.current(unit) is not None:
            return
        if unit in SECONDS:
            self._apply(unit)
        else:
            self._scale(unit, 1)
        self._pods.forget()

    def _scale(self, unit: str, replicas: int) -> None:
        self.kubectl.change("scale", f"{self._manifests.kind(unit)}/{unit}", f"--replicas={replicas}")

    def _apply(self, unit: str) -> None:
        documents = self._manifests.of(unit)
        self.kubectl.change("apply", "-f", "-", given="\n---\n".join(json.dumps(d) for d in documents))

    def _until_gone(self, unit: str) -> None:
        deadline = time.monotonic() + END_SECONDS * slow()
        while True:
            self._pods.forget()
            if not self._pods.of(unit):
                return
            if time.monotonic() > deadline:
                raise LabError(
                    f"{unit} did not end in {END_SECONDS * slow():.0f} s. See: ./lab logs supervisor"
                )
            time.sleep(0.2)

    def units(self) -> list[Unit]:
        """Return all units, as the cluster reports them; of the second instances only those that run."""
        found = self._pods.units((*UNITS, *SECONDS))
        return [unit for unit in found if unit.name in UNITS or unit.pid]

    def pid_of(self, unit: str) -> int | None:
        """Return a number that changes with each start of the unit's program; None while it is down."""
        known(unit)
        pod = self._pods.current(unit)
        return number(pod) if pod else None

    def forget(self, unit: str) -> None:
        """Restart `unit` with an empty volume."""
        known(unit)
        self.stop_unit(unit)
        self.kubectl.change("delete", "pvc", f"data-{unit}-0", "--ignore-not-found")
        self.start_unit(unit)

    def override(self, unit: str, settings: Mapping[str, str]) -> None:
        """Set settings in addition to the unit's own, bring it the learner's files, and replace its pod."""
        if unit not in UNITS:
            raise LabError(f"There is no unit {unit}. Units: {', '.join(UNITS)}.")
        running = self.running()
        overrides.write(self._home, unit, settings)
        if not running:
            return
        # With a broken file the new pod never becomes ready, and an update would keep the old one for ever.
        self.stop_unit(unit)
        self._apply(unit)
        for tool, like in LIKE.items():
            if like == unit:
                self._apply(tool)
        self._pods.forget()

    def deliver(self, unit: str) -> None:
        """Bring the learner's saved files to the unit's pod, which cannot see this machine's folder."""
        settings = overrides.read(self._home, unit)
        if not learner_files(settings) or not self.running():
            return
        for name in (unit, *(tool for tool, like in LIKE.items() if like == unit)):
            documents = self._manifests.files(name, settings)
            said = self.kubectl.change("apply", "-f", "-", given=json.dumps(documents[0]))
            if "unchanged" not in said and (pod := self._pods.current(name)):
                # A node brings a changed ConfigMap to a pod within a minute; at once if the pod changes.
                self.kubectl.attempt(
                    "annotate", "--overwrite", "pod", pod["metadata"]["name"], f"saved={time.time():.3f}"
                )

    def remarks(self) -> str:
        """Return where the system runs."""
        return f"Context of kubectl: {self.kubectl.context}; namespace: {NAMESPACE}"

    def provision(self) -> None:
        """Run the task `provision` again and wait for its end. Raises LabError."""
        self.kubectl.change("delete", "job", "provision", "--ignore-not-found")
        self.kubectl.change("apply", "-f", "-", given=self._manifests.job("provision"))
        self.kubectl.change(
            "wait",
            "--for=condition=complete",
            "job/provision",
            f"--timeout={PROVISION_SECONDS * slow():.0f}s",
            seconds=PROVISION_SECONDS + 10,
        )

    def delete_data(self) -> None:
        """Delete the namespace with all volumes, and the secrets."""
        self.kubectl.change("delete", "namespace", NAMESPACE, "--ignore-not-found", seconds=180)
        secrets.forget(self._home, self.kubectl)
