"""What `./lab doctor` reports about the container engine, before anything starts."""

import os
from collections.abc import Callable, Iterator

from lab.backends.compose import engine, fitness, images, privileged
from lab.backends.compose.kinds import DESKTOP, DOCKER, PODMAN, Engine
from lab.backends.compose.network import PUBLISHED, UNPRIVILEGED_HTTP
from lab.errors import LabError
from lab.health.finding import Finding

GB = 1e9
CANNOT = "cannot run the system"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def findings() -> Iterator[Finding]:
    """Check the engine, Compose, the builder and the way to a registry."""
    try:
        found = engine.look()
    except LabError as error:
        yield Finding("container engine", "does not answer", str(error))
        return
    yield from of_engine(found)
    missing = [name for name in images.used() if name not in images.BUILT_BY and not images.is_there(name)]
    yield of_downloads(found, missing)


def of_engine(found: Engine) -> Iterator[Finding]:
    """Report on an engine that answers. An engine that is refused gets one line only."""
    try:
        fitness.refuse_unfit(found)
    except LabError as error:
        yield Finding("container engine", CANNOT, str(error))
        return
    yield Finding("container engine", f"{found.name}, {found.memory / GB:.1f} GB of memory")
    if said := sentence(found):
        yield Finding("this engine", said)
    yield Finding("Docker Compose", found.compose)
    yield _checked("image builder", _builder(found), lambda: fitness.refuse_without_builder(found))


def sentence(found: Engine) -> str:
    """What is different with this engine, in one sentence; '' for a plain Docker Engine on this machine."""
    parts = []
    on_8000 = privileged.first(found) > PUBLISHED["http"]
    if found.rootless:
        parts.append("this machine cannot reach the addresses of rootless containers, so ./lab publishes the"
                     " servers on 127.0.0.1 as well")  # fmt: skip
        parts.append("JupyterLab is root in its container, and that root is you")
    elif found.elsewhere:
        parts.append(f"{found.product} keeps the containers in a virtual machine, so ./lab publishes the"
                     " servers on 127.0.0.1 as well")  # fmt: skip
    if on_8000:
        who = "a rootless engine may" if found.rootless else "Docker Desktop without its helper may"
        parts.append(f"the gateway is on port {UNPRIVILEGED_HTTP}, because {who} not publish port 80")
    if found.product == PODMAN:
        parts.append("Podman's own builder makes the images")
    if not found.limits:
        parts.append("the engine does not enforce memory limits")
    if not found.pauses:
        parts.append("it cannot pause a unit, so faults and checks that do so fail")
    # docs/engines.md lists what was tried.
    untried = "" if found.product == DOCKER and not found.elsewhere else " (not tried with this course)"
    return f"{'; '.join(parts)}{untried}" if parts else ""


def of_downloads(found: Engine, missing: list[str]) -> Finding:
    """Report how images are fetched: by the engine, through its own proxy."""
    if not missing:
        return Finding("images of the servers", "all on this machine, so no registry is needed")
    here = next((os.environ[name] for name in PROXIES if os.environ.get(name)), "")
    through = f"through the proxy {found.proxy}" if found.proxy else "without a proxy"
    seen = f"{len(missing)} are missing; the engine will fetch them {through}"
    if found.product == DESKTOP:
        seen = f"{len(missing)} are missing; Docker Desktop will fetch them, with the proxy of its settings"
    elif here and not found.proxy:
        return Finding("images of the servers", seen, fitness.pull_advice(found).partition("\n")[0])
    return Finding("images of the servers", seen)


def _builder(found: Engine) -> str:
    if found.product == PODMAN:
        return "Podman's own"
    if found.buildx:
        return f"buildx {found.buildx}"
    inside = fitness.parsed(found.compose) < fitness.COMPOSE_WITHOUT_BUILDER
    return "BuildKit, inside Compose" if inside else "none"


def _checked(what: str, seen: str, refuse: Callable[[], None]) -> Finding:
    try:
        refuse()
    except LabError as error:
        return Finding(what, seen, str(error))
    return Finding(what, seen)
