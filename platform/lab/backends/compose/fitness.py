"""The requirements for an engine. Each refusal is one line that ends with what to do."""

import os
import re

from lab import options
from lab.backends.compose.kinds import COLIMA, DESKTOP, PODMAN, RANCHER, Engine
from lab.backends.compose.limits import memory_limit
from lab.errors import LabError

OLDEST_ENGINE = (20, 10)
OLDEST_PODMAN = (4, 3)
"""The oldest version on which the course was tried. Before 4.0, networks have no fixed addresses."""
OLDEST_COMPOSE = (2, 24)
"""The first version that accepts an env_file which need not exist."""
COMPOSE_WITHOUT_BUILDER = (5, 0)
"""From this version on Compose has no builder of its own and needs the buildx plugin for every build."""
COMPOSE_WITH_BUILDX = (2, 40)
"""From this version on Compose uses an installed buildx, and refuses one older than OLDEST_BUILDX."""
OLDEST_BUILDX = (0, 17)
ENGINE_MEMORY = 256
"""MiB for the engine itself: 210 were measured with all containers, and the rest is for its kernel."""
MORE_MEMORY = {
    DESKTOP: "Settings, Resources, Memory",
    COLIMA: "`colima stop && colima start --memory 4`",
    RANCHER: "Preferences, Virtual Machine",
    PODMAN: "`podman machine set --memory 4096`",
}


def refuse_unfit(engine: Engine) -> None:
    """Raise LabError, in one line, when the engine cannot run the system."""
    if engine.podman_command:
        raise LabError(
            f"The `docker` command here is Podman {engine.version} itself, and ./lab needs Docker's client."
            " Install that client and the Compose plugin, start Podman's socket"
            " (`systemctl --user start podman.socket`), and set"
            " DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock."
        )
    oldest = OLDEST_PODMAN if engine.product == PODMAN else OLDEST_ENGINE
    if parsed(engine.version) < oldest:
        raise LabError(
            f"The container engine is {engine.name}, which is too old."
            f" Update it to {_words(oldest)} or newer."
        )
    if engine.foreign and not os.environ.get("LAB_REACH"):
        raise LabError(
            f"The container engine runs on {engine.foreign}, not here, so its containers cannot mount labs/"
            " from this machine. Use an engine on this machine, or LAB_BACKEND=native on Linux."
        )
    if not engine.compose:
        raise LabError(
            f"`docker compose` is missing. Install the Compose plugin {_words(OLDEST_COMPOSE)} or newer."
        )
    if parsed(engine.compose) < OLDEST_COMPOSE:
        raise LabError(f"Docker Compose is {engine.compose}, which is too old."
                       f" Update it to {_words(OLDEST_COMPOSE)} or newer.")  # fmt: skip
    if engine.memory < least_memory():
        how = MORE_MEMORY.get(engine.product, "") if engine.elsewhere else ""
        raise LabError(
            f"The container engine has {engine.memory / 1e9:.1f} GB of memory; the system needs"
            f" {least_memory() / 1e9:.1f} GB. Give it more" + (f": {how}." if how else ".")
        )


def least_memory() -> int:
    """Return the bytes that the engine needs: every container may use its limit at the same time.

    With less, the kernel would kill processes although no container is at its limit.
    """
    return (memory_limit(options.chosen()) + ENGINE_MEMORY) * 2**20


def refuse_without_builder(engine: Engine) -> None:
    """Raise LabError when the course's images cannot be built: the Dockerfile needs BuildKit."""
    compose = parsed(engine.compose)
    if engine.product == PODMAN:
        return  # Podman has its own builder
    wanted = f"{_words(OLDEST_BUILDX)} or newer (Debian and Ubuntu: the package docker-buildx-plugin)"
    if not engine.buildx and compose >= COMPOSE_WITHOUT_BUILDER:
        raise LabError(
            f"Docker Compose {engine.compose} builds images with the buildx plugin, which is missing."
            f" Install buildx {wanted}, then run ./lab up again."
        )
    if engine.buildx and parsed(engine.buildx) < OLDEST_BUILDX and compose >= COMPOSE_WITH_BUILDX:
        raise LabError(
            f"Docker Compose {engine.compose} cannot build with buildx {engine.buildx}."
            f" Install buildx {wanted}, then run ./lab up again."
        )


def builder(engine: Engine) -> dict[str, str]:
    """Return the variables that select the builder, whatever the user's shell has set.

    Podman's API has no BuildKit, but its own builder supports `RUN --mount`; Docker's classic one does not.
    """
    return {"DOCKER_BUILDKIT": "0" if engine.product == PODMAN else "1"}


def pull_advice(engine: Engine) -> str:
    """Return what to do when images cannot be fetched: the engine fetches them, through its own proxy."""
    how = {
        DESKTOP: "In Docker Desktop: Settings, Resources, Proxies.",
        COLIMA: "Put it under `env:` in ~/.colima/default/colima.yaml, then run `colima restart`.",
        RANCHER: "In Rancher Desktop: Preferences, WSL, Proxy; on macOS in its provisioning scripts.",
        PODMAN: "Set HTTPS_PROXY for Podman's service (`systemctl --user edit podman.service`), restart it.",
    }.get(
        engine.product,
        f'Write {{"proxies": {{"https-proxy": "http://HOST:PORT"}}}} into {_daemon_file(engine)}'
        " and restart the engine (engines before 23: HTTPS_PROXY in a systemd drop-in of docker.service).",
    )
    seen = f"Its proxy is {engine.proxy}." if engine.proxy else "It has no proxy."
    return (
        f"The engine itself fetches images, and does not use this shell's HTTPS_PROXY. {seen} Behind a"
        f" proxy, set the engine's own. {how}\nWithout a network: ./lab bundle on a machine that has one,"
        " then ./lab unbundle here."
    )


def _daemon_file(engine: Engine) -> str:
    return "~/.config/docker/daemon.json" if engine.rootless else "/etc/docker/daemon.json"


def parsed(text: str) -> tuple[int, int]:
    """Return major and minor number of a version; (0, 0) when it has another form."""
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _words(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
