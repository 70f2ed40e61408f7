"""The findings of `./lab doctor` about the container engine, before anything starts."""

import os
from collections.abc import Callable, Iterator

from lab.backends.compose import engine, fitness, images, privileged
from lab.backends.compose.kinds import DESKTOP, DOCKER, PODMAN, Engine
from lab.backends.compose.network import PUBLISHED, UNPRIVILEGED_HTTP
from lab.errors import LabError
from lab.finding import Finding

GB = 1e9
CANNOT = "cannot run the system"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
X86_64 = ("x86_64", "amd64")
# docs/engines.md and docs/versions.md list what the course was tried with.
TRIED = "this course was tried with Docker Engine 20.10 on x86_64 only"
SUBSTITUTES = "the official images were not tried with this course, only substitutes for them"
DEVELOPMENT_CONTAINER = (
    "this is the container of .devcontainer/; Codespaces, VS Code and the engine inside it were not tried"
    " with this course"
)


def findings() -> Iterator[Finding]:
    """Yield findings about the engine, Compose, the builder and access to a registry."""
    if os.environ.get("LAB_DEVCONTAINER"):
        yield Finding("development container", DEVELOPMENT_CONTAINER)
    try:
        current = engine.look()
    except LabError as error:
        yield Finding("container engine", "does not answer", str(error))
        return
    yield from of_engine(current)
    missing = [name for name in images.used() if name not in images.BUILT_BY and not images.is_there(name)]
    yield of_downloads(current, missing)


def of_engine(current: Engine) -> Iterator[Finding]:
    """Yield findings about an engine that answers. An unfit engine gets only one."""
    try:
        fitness.refuse_unfit(current)
    except LabError as error:
        yield Finding("container engine", CANNOT, str(error))
        return
    yield Finding("container engine", f"{current.name}, {current.memory / GB:.1f} GB of memory")
    if differences := sentence(current):
        yield Finding("this engine", differences)
    yield Finding("Docker Compose", current.compose)
    yield _checked("image builder", _builder(current), lambda: fitness.refuse_without_builder(current))


def sentence(current: Engine) -> str:
    """Describe in one sentence what differs with this engine; '' for a plain Docker Engine here."""
    parts = []
    on_8000 = privileged.first(current) > PUBLISHED["http"]
    if current.rootless:
        parts.append("this machine cannot reach the addresses of rootless containers, so ./lab publishes the"
                     " servers on 127.0.0.1 as well")  # fmt: skip
        parts.append("root in JupyterLab's container is your own user")
    elif current.elsewhere:
        parts.append(f"{current.product} runs the containers in a virtual machine, so ./lab publishes the"
                     " servers on 127.0.0.1 as well")  # fmt: skip
    if on_8000:
        engine_kind = "a rootless engine" if current.rootless else "Docker Desktop without its helper"
        parts.append(
            f"the gateway is on port {UNPRIVILEGED_HTTP}, because {engine_kind} may not publish port 80"
        )
    if current.product == PODMAN:
        parts.append("Podman's own builder builds the images")
    if not current.limits:
        parts.append("the engine does not enforce memory limits")
    if not current.pauses:
        parts.append("the engine cannot pause a unit, so faults and checks that pause one fail")
    if current.product != DOCKER or current.elsewhere:
        return f"{'; '.join(parts)} (not tried with this course)" if parts else ""
    if fitness.parsed(current.version) != fitness.OLDEST_ENGINE or current.architecture not in X86_64:
        parts.append(TRIED)
    return "; ".join(parts)


def of_downloads(current: Engine, missing: list[str]) -> Finding:
    """Report whether images are missing, and how the engine would fetch them."""
    if not missing:
        return _images("all on this machine, so no registry is needed")
    here = next((os.environ[name] for name in PROXIES if os.environ.get(name)), "")
    through = f"through the proxy {current.proxy}" if current.proxy else "without a proxy"
    seen = f"{len(missing)} are missing; the engine will fetch them {through}"
    if current.product == DESKTOP:
        seen = f"{len(missing)} are missing; Docker Desktop will fetch them, with the proxy of its settings"
    elif here and not current.proxy:
        return _images(seen, fitness.pull_advice(current).partition("\n")[0])
    return _images(seen)


def _images(seen: str, remedy: str = "") -> Finding:
    return Finding("images of the servers", f"{seen}; {SUBSTITUTES}", remedy)


def _builder(current: Engine) -> str:
    if current.product == PODMAN:
        return "Podman's own"
    if current.buildx:
        return f"buildx {current.buildx}"
    inside = fitness.parsed(current.compose) < fitness.COMPOSE_WITHOUT_BUILDER
    return "BuildKit, inside Compose" if inside else "none"


def _checked(what: str, seen: str, refuse: Callable[[], None]) -> Finding:
    try:
        refuse()
    except LabError as error:
        return Finding(what, seen, str(error))
    return Finding(what, seen)
