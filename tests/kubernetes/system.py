"""The system on the tests' own cluster: `./lab` with LAB_BACKEND=kubernetes, and the project's own tests."""

import os
import sys
import time
import xml.etree.ElementTree as Xml
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from compose import step
from kubernetes import images, programs
from kubernetes.cluster import NETWORK, Cluster
from kubernetes.network import entered

from lab.backends.kubernetes.backend import KubernetesBackend
from lab.deadlines import slow
from lab.home import REPO, Home
from lab.probes import local_http
from lab.probes.readiness import waiting_for

CONTEXT = "civildiy-test"
STEP_SECONDS, SUITE_SECONDS = 600.0, 1500.0


class System:
    """The system, its cluster, and what was measured."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.home = Home(cluster.root / "home")
        outside = {k: v for k, v in cluster.environment().items() if not k.startswith("PYTEST_")}
        self.environment = outside | {
            "LAB_BACKEND": "kubernetes", "LAB_CONTEXT": CONTEXT, "LAB_HOME": str(self.home.root),
        }  # fmt: skip
        self.figures: list[str] = []
        self._backend: KubernetesBackend | None = None

    @property
    def backend(self) -> KubernetesBackend:
        """The backend, for this process; it finds the cluster by the variables of the environment."""
        if self._backend is None:
            self._backend = KubernetesBackend(self.home)
        return self._backend

    @property
    def gateway(self) -> str:
        """The gateway's address."""
        return self.backend.endpoints()["gateway"]

    def run(self, *command: object, code: int = 0, seconds: float = STEP_SECONDS) -> str:
        """Run a command and return what it printed. Fails when it does not end with `code` in time."""
        ended, said = step.run(command, self.environment, seconds * slow(), REPO)
        line = " ".join(str(part) for part in command)
        assert ended == code, f"{line} ended with {ended}:\n{said[-6000:]}"
        return said

    def lab(self, *arguments: object, code: int = 0, seconds: float = STEP_SECONDS) -> str:
        """`./lab …`."""
        return self.run(sys.executable, "-P", "-m", "lab", *arguments, code=code, seconds=seconds)

    def timed(self, what: str, act: Callable[[], object]) -> None:
        """Call `act`, and report how long it took."""
        began = time.monotonic()
        act()
        self.figures.append(f"{what}: {time.monotonic() - began:.1f} s")

    def unready(self) -> list[str]:
        """Return what is not ready yet; [] when the whole system works."""
        with local_http.client(timeout=3) as http:
            return waiting_for(self.backend.endpoints(), http)

    def until_healthy(self, within: float = 120.0) -> None:
        """Wait until the whole system works."""
        self.until(lambda: not self.unready(), within, "a healthy system", self.unready)

    def until(
        self, look: Callable[[], bool], within: float, what: str, told: Callable[[], object] = lambda: ""
    ) -> None:
        """Wait until `look` returns True; fail with what `told` returns."""
        deadline = time.monotonic() + within * slow()
        while True:
            try:
                if look():
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, f"waited {within * slow():.0f} s for {what}: {told()}"
            time.sleep(0.2)

    def suite(self, name: str, file: Path, *arguments: str) -> list[str]:
        """Run the project's own tests on the cluster, and return the names of those that passed."""
        self.until_healthy()
        began = time.monotonic()
        self.run(
            sys.executable, "-m", "pytest", "-q", "--maxfail=3", f"--junit-xml={file}", *arguments,
            seconds=SUITE_SECONDS,
        )  # fmt: skip
        cases = Xml.parse(file).findall(".//testcase")
        skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
        assert not skipped, skipped
        self.figures.append(f"{len(cases)} tests passed: {name} ({time.monotonic() - began:.0f} s)")
        return [str(case.get("name")) for case in cases]


@contextmanager
def system(home: Home) -> Iterator[System]:
    """Start a cluster, load the images, and bring the system up. Raises LabError when there is no cluster."""
    began = time.monotonic()
    found = programs.ensure(home)
    archives = images.archives(home)
    prepared = time.monotonic()
    cluster = Cluster(home, found)
    with cluster.running():
        made = System(cluster)
        made.figures.append(f"programs and images: {prepared - began:.1f} s")
        made.figures += [f"{what}: {seconds:.1f} s" for what, seconds in cluster.seconds.items()]
        made.timed("images loaded", lambda: images.load(cluster, archives))
        with entered(NETWORK), _variables(made.environment):
            made.timed("./lab up", lambda: made.lab("up"))
            made.figures.append(f"from nothing to ready: {time.monotonic() - prepared:.1f} s")
            yield made


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set the variables by which this process finds the cluster, and put the old ones back at the end."""
    names = ("KUBECONFIG", "PATH", "LAB_CONTEXT")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: values[name] for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
