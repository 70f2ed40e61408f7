"""The images for the tests' own cluster: those of tests/compose, from one archive that is kept.

An engine builds them once. After that, only a changed image needs an engine again.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from compose import images as standins
from compose.machine import Machine
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

HERE = Path(__file__).parent
BUILD_SECONDS, SAVE_SECONDS = 1200.0, 600.0


def wanted() -> list[str]:
    """Return the full names of the images that the manifests use."""
    return [*(pins().images[unit] for unit in SERVERS), images.SERVICE]


def archive(home: Home) -> Path:
    """Return the archive of all images; build it when it is missing or outdated. Raises LabError."""
    folder = Path(home.root / "kubernetes" / "images")
    file = folder / f"{_fingerprint()}.tar"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        _build(home, new)
        for old in folder.glob("*.tar"):
            old.unlink()
        new.replace(file)
    return file


def _fingerprint() -> str:
    """Return a hash of everything that the images are made from."""
    digest = hashlib.sha256(repr((wanted(), images.fingerprints())).encode())
    for file in sorted((REPO / "tests/compose").glob("*images*")) + sorted(
        (REPO / "tests/compose/standins").iterdir()
    ):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _build(home: Home, file: Path) -> None:
    machine = Machine(home)
    machine.install()
    with Progress(Console()) as progress:
        ensure_servers(home, progress)
    with machine.engine():
        standins.StandIns(machine, home).make(standins.wanted())
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
        machine.run("docker", "save", "--output", file, *wanted(), seconds=SAVE_SECONDS)


def load(cluster: Cluster, file: Path) -> None:
    """Put all images into the cluster's containerd, unless they are there from an earlier run."""
    mark = cluster.root / "containerd" / f"loaded-{file.stem}"
    present = cluster.ctr("images", "ls", "-q")
    if PAUSE not in present:
        cluster.ctr("images", "import", _pause(cluster.root))
    if not mark.exists() or any(name not in present for name in wanted()):
        cluster.ctr("images", "import", file, seconds=SAVE_SECONDS)
        mark.touch()


def _pause(root: Path) -> Path:
    """Return an archive with the image of each pod's first process, in the format of `docker save`."""
    program, file = root / "pause", root / "pause.tar"
    subprocess.run(
        ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "."], cwd=HERE / "pause", check=True,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=mod"},
    )  # fmt: skip
    layer = _tar({"pause": program.read_bytes()})
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
