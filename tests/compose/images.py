"""Stand-in images: the native backend's servers under the official names and tags."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from compose import step
from compose.machine import Machine

from lab.backends.compose import overlays
from lab.home import DEPLOYMENT, REPO, Home
from lab.install import optional
from lab.install.pins import pins
from lab.install.servers import Installer, ServerPaths

HERE = Path(__file__).parent / "standins"
BASE = "debian:bookworm-slim"
PACKAGES = ("ca-certificates", "busybox", "dumb-init", "locales")
BASE_LABEL = "-".join(("base", *PACKAGES))
CERTIFICATES = Path("/usr/local/share/ca-certificates")
# Parts of Python and Java that an image does not need.
LEFT_OUT = ("test", "tests", "idlelib", "tkinter", "turtledemo", "site-packages", "jmods", "legal", "man",
            "include", "docs", "*.a", "src.zip")  # fmt: skip
OF_THE_BASE = ("libc.so", "libm.so", "ld-linux", "libpthread.so", "libdl.so", "librt.so", "linux-vdso")


def wanted() -> dict[str, str]:
    """Name and full tag of each image that somebody else publishes, by its short name."""
    named = _named(REPO / "docker-compose.yml")
    named |= {line.split()[1] for line in (DEPLOYMENT / "Dockerfile").read_text().splitlines()
              if line.startswith("FROM ") and ":" in line}  # fmt: skip
    return _by_short_name(named)


def added(option: str) -> dict[str, str]:
    """Return the same for the images that an option of `./lab up --with` adds."""
    return _by_short_name(_named(overlays.OVERLAYS / f"{option}.yaml"))


def _named(file: Path) -> set[str]:
    services = yaml.safe_load(file.read_text())["services"].values()
    return {service["image"] for service in services if "image" in service and "build" not in service}


def _by_short_name(images: set[str]) -> dict[str, str]:
    return {name.partition(":")[0].rpartition("/")[2]: name for name in sorted(images)}


def places(paths: ServerPaths, optional: Mapping[str, Path]) -> dict[str, Path]:
    """Return where the machine has what images.toml names in braces. `optional`: programs by server."""
    return {
        **optional,
        "python": Path(sys.base_prefix),
        "postgresql": paths.postgresql_bin.parent,
        "redis-server": paths.redis_server.resolve(),
        "redis-cli": paths.redis_server.with_name("redis-cli").resolve(),
        "mongod": paths.mongod,
        "java": paths.java.resolve().parents[1],
        "kafka-jars": paths.kafka_jars,
        "consul": paths.consul,
        "traefik": paths.traefik,
    }


class StandIns:
    """Builds the images that the engine does not have yet."""

    def __init__(self, machine: Machine, home: Home) -> None:
        self._machine = machine
        self._places = places(Installer(home, pins()).paths(), optional.programs(home))
        self._recipes: dict[str, Any] = tomllib.loads((HERE / "images.toml").read_text())

    def make(self, tags: Mapping[str, str]) -> list[str]:
        """Build those of these images that are missing, and return their names. Raises LabError."""
        made = [] if self._is_there(BASE, BASE_LABEL) else [self._make_base()]
        # Python first: another one is built on it.
        for name in sorted(tags, key=lambda name: name != "python"):
            if not self._is_there(tags[name], self._fingerprint(name)):
                self._make(name, tags)
                made.append(tags[name])
        return made

    def _fingerprint(self, name: str) -> str:
        recipe = self._recipes[name]
        own = [str(place) for key, place in self._places.items() if f"{{{key}}}" in recipe["files"]]
        said = repr((recipe, sorted(own))).encode()
        scripts = [HERE / recipe.get("entry", ""), *(HERE / file for file in recipe["files"])]
        for file in (*scripts, Path(__file__)):
            said += file.read_bytes() if file.is_file() else b""
        return hashlib.sha256(said).hexdigest()[:12]

    def _is_there(self, tag: str, fingerprint: str) -> bool:
        label = '{{index .Config.Labels "standin"}}'
        asked = ["docker", "image", "inspect", "--format", label, tag]
        return step.run(asked, self._machine.environment, 60)[1].strip() == fingerprint

    def _make_base(self) -> str:
        exclude = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "locale")]
        with tempfile.TemporaryDirectory(dir=self._machine.root) as folder:
            tar = Path(folder) / "base.tar"
            self._machine.run("mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}",
                              *exclude, "bookworm", tar)  # fmt: skip
            self._machine.run("docker", "import", tar, "standin-bare")
            # A proxy that replaces certificates on this machine also does so while an image is built.
            (Path(folder) / "own").mkdir()
            for certificate in CERTIFICATES.glob("*.crt"):
                shutil.copy(certificate, Path(folder) / "own")
            lines = ["FROM standin-bare", f"COPY own/ {CERTIFICATES}/", "RUN update-ca-certificates",
                     f"LABEL standin={BASE_LABEL}", 'CMD ["bash"]']  # fmt: skip
            (Path(folder) / "Dockerfile").write_text("\n".join(lines))
            tar.unlink()
            self._machine.run("docker", "build", "-t", BASE, folder)
        return BASE

    def _make(self, name: str, tags: Mapping[str, str]) -> None:
        recipe = self._recipes[name]
        with tempfile.TemporaryDirectory(dir=self._machine.root) as folder:
            root = Path(folder) / "root"
            for source, target in recipe["files"].items():
                found = HERE / source if (HERE / source).exists() else Path(source.format_map(self._places))
                _copy(found, root / target.lstrip("/"))
            _add_libraries(root)
            base = tags[recipe["base"]] if "base" in recipe else BASE
            lines = [
                f"FROM {base}",
                "COPY root/ /",
                "RUN " + " && ".join(["ldconfig", *recipe.get("run", [])]),
            ]
            lines += [f"LABEL standin={self._fingerprint(name)}"]
            lines += [f"ENV {key}={value}" for key, value in recipe.get("env", {}).items()]
            lines += [f"VOLUME {place}" for place in recipe.get("volumes", [])]
            lines += [f"WORKDIR {recipe['workdir']}"] if "workdir" in recipe else []
            if "entry" in recipe:
                shutil.copy(HERE / recipe["entry"], Path(folder) / "entry")
                (Path(folder) / "entry").chmod(0o755)
                lines += ["COPY entry /entry", 'ENTRYPOINT ["/entry"]']
            lines += [f'ENTRYPOINT ["{recipe["program"]}"]'] if "program" in recipe else []
            lines += [f"STOPSIGNAL {recipe['signal']}"] if "signal" in recipe else []
            lines += [f"USER {recipe['user']}"] if "user" in recipe else []
            words = ", ".join(f'"{word}"' for word in recipe.get("command", ["sh"]))
            lines += [f"CMD [{words}]"]
            (Path(folder) / "Dockerfile").write_text("\n".join(lines))
            self._machine.run("docker", "build", "-t", tags[name], folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        # Links are followed: Debian keeps parts of Java in /etc.
        shutil.copytree(
            source, target, ignore=shutil.ignore_patterns(*LEFT_OUT), ignore_dangling_symlinks=True
        )
    else:
        shutil.copy2(source, target)
        target.chmod(0o755)


def _add_libraries(root: Path) -> None:
    """Copy the shared libraries that the programs below `root` need and the base has not."""
    programs = [file for file in root.rglob("*") if file.is_file() and _is_elf(file)]
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        _, arrow, place = line.strip().partition(" => ")
        path = Path(place.partition(" (")[0])
        if arrow and path.is_absolute() and path.exists() and not path.name.startswith(OF_THE_BASE):
            target = root / "usr/lib" / f"{os.uname().machine}-linux-gnu" / path.name
            if not target.exists() and not path.is_relative_to(root):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)


def _is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"
