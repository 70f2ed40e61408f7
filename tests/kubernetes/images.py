"""The images for the tests' own cluster: those of tests/compose, from two archives that are kept.

An engine builds them once. After that, only a changed image needs an engine again.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from compose import images as standins
from compose.machine import Machine
from kubernetes import pause
from kubernetes.cluster import Cluster
from kubernetes.configs import PAUSE

from lab.backends.compose import images
from lab.backends.settings import SECRETS
from lab.home import REPO, Home
from lab.install.pins import pins
from lab.install.servers import ensure_servers
from lab.progress import Progress
from lab.terminal import Console
from lab.topology import SERVERS

BUILD_SECONDS, SAVE_SECONDS = 1200.0, 600.0


SERVERS_TOO, OWN = "servers", "own"
"""The archives: a change of our code makes the second one only, which is much smaller."""


def wanted(archive: str) -> list[str]:
    """Return the full names of an archive's images, as the manifests use them."""
    return [images.SERVICE] if archive == OWN else [pins().images[unit] for unit in SERVERS]


def archives(home: Home) -> dict[str, Path]:
    """Return the archives of all images; build those that are missing or outdated. Raises LabError."""
    folder = home.root / "kubernetes" / "images"
    found = {name: folder / f"{name}-{_fingerprint(name)}.tar" for name in (SERVERS_TOO, OWN)}
    missing = {name: file for name, file in found.items() if not file.exists()}
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        _build(home, missing)
        for old in set(folder.iterdir()) - set(found.values()):
            old.unlink()
    return found


def _fingerprint(archive: str) -> str:
    """Return a hash of everything that these images are made from."""
    made = images.fingerprints()[images.SERVICE] if archive == OWN else ""
    digest = hashlib.sha256(repr((wanted(archive), made)).encode())
    for file in sorted((REPO / "tests/compose").glob("*images*")) + sorted(
        (REPO / "tests/compose/standins").iterdir()
    ):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _build(home: Home, missing: Mapping[str, Path]) -> None:
    machine = Machine(home)
    machine.install()
    with Progress(Console()) as progress:
        ensure_servers(home, progress)
    named = standins.wanted()
    if SERVERS_TOO not in missing:
        named = {"python": named["python"]}  # ours is built on it
    with machine.engine():
        standins.StandIns(machine, home).make(named)
        if OWN in missing:
            _build_own(machine)
        for archive, file in missing.items():
            new = file.with_suffix(".new")
            machine.run("docker", "save", "--output", new, *wanted(archive), seconds=SAVE_SECONDS)
            new.replace(file)


def _build_own(machine: Machine) -> None:
    # Compose refuses a file whose secrets are missing, also for a build that uses none of them.
    more = dict.fromkeys(SECRETS, "unused") | {"LAB_FINGERPRINT": images.fingerprints()[images.SERVICE]}
    build = [
        "docker",
        "compose",
        "--file",
        REPO / "docker-compose.yml",
        "build",
        images.BUILT_BY[images.SERVICE],
    ]
    machine.run(*build, seconds=BUILD_SECONDS, more=more, cwd=REPO)


def load(cluster: Cluster, files: Mapping[str, Path]) -> None:
    """Put all images into the cluster's containerd, unless they are there from an earlier run."""
    present = cluster.ctr("images", "ls", "-q")
    if PAUSE not in present:
        cluster.ctr("images", "import", _pause(cluster.root))
    marks = cluster.root / "containerd"
    for archive, file in files.items():
        mark = marks / f"loaded-{file.stem}"
        if not mark.exists() or any(name not in present for name in wanted(archive)):
            # Another archive of these names replaces them, so its mark is no longer true.
            for old in marks.glob(f"loaded-{archive}-*"):
                old.unlink()
            cluster.ctr("images", "import", file, seconds=SAVE_SECONDS)
            mark.touch()


def _pause(root: Path) -> Path:
    """Return an archive with the image of each pod's first process, in the format of `docker save`."""
    file = root / "pause.tar"
    layer = _tar({"pause": pause.program()})
    config = {
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]
    parts = {"config.json": json.dumps(config), "manifest.json": json.dumps(manifest)}
    file.write_bytes(_tar({**{name: text.encode() for name, text in parts.items()}, "layer.tar": layer}))
    return file


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            packed.addfile(entry, io.BytesIO(content))
    return out.getvalue()
