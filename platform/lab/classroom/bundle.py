"""Check the archive of `./lab bundle`: does it hold every image and every package for this machine?"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.markers import Marker
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from lab.backends.compose.bundle import BUNDLE, IMAGES, WHEELS, images
from lab.finding import Finding
from lab.home import REPO

LOCK = REPO / "requirements" / "lab.lock"
REQUIREMENT = re.compile(r"^([\w.-]+)==(\S+)(?: ; (.+?))? ?\\?$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
AGAIN = "create it again on a machine with a network: ./lab bundle"


@dataclass(frozen=True)
class Pinned:
    """A package of the lock file that this machine needs, with the checksums of its files."""

    name: str
    version: str
    hashes: frozenset[str]


def pinned(lock: str) -> list[Pinned]:
    """Return the packages of a lock file whose marker fits this machine."""
    found: list[tuple[str, str, str, set[str]]] = []
    for line in lock.splitlines():
        if package := REQUIREMENT.match(line):
            found.append((package[1], package[2], package[3] or "", set()))
        elif found:
            found[-1][3].update(HASH.findall(line))
    return [
        Pinned(canonicalize_name(name), version, frozenset(hashes))
        for name, version, marker, hashes in found
        if not marker or Marker(marker).evaluate()
    ]


def examine(file: Path | None) -> Iterator[Finding]:
    """Yield what the archive has and lacks. Without `file`, look for one in the current folder."""
    archive = file or Path(BUNDLE)
    if not archive.exists():
        remedy = f"there is no {archive}; {AGAIN}" if file else ""
        yield Finding("bundle", f"no {archive.name} here; only a class without a network needs one", remedy)
        return
    try:
        with tarfile.open(archive) as opened:
            wheels, loaded = _contents(opened)
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError, EOFError) as error:
        yield Finding("bundle", f"{archive} cannot be read ({type(error).__name__})", AGAIN)
        return
    yield _images(loaded)
    yield _wheels(wheels)


def _contents(archive: tarfile.TarFile) -> tuple[dict[str, str], set[str]]:
    """Return the wheels with their checksums, and the names of the images."""
    wheels: dict[str, str] = {}
    loaded: set[str] = set()
    for member in archive:
        content = archive.extractfile(member)
        if content is None:
            continue
        folder, _, name = member.name.rpartition("/")
        if folder == WHEELS:
            wheels[name] = _checksum(content)
        elif member.name == IMAGES:
            with tarfile.open(fileobj=content) as saved:
                manifest = saved.extractfile("manifest.json")
                listed = json.load(manifest) if manifest else []
            loaded = {tag for image in listed for tag in image.get("RepoTags") or ()}
    return wheels, loaded


def _checksum(content: IO[bytes]) -> str:
    found = hashlib.sha256()
    while part := content.read(1024 * 1024):
        found.update(part)
    return found.hexdigest()


def _images(loaded: set[str]) -> Finding:
    missing = [name for name in images() if not _has(name, loaded)]
    seen = f"{len(images()) - len(missing)} of {len(images())} images"
    return Finding("images in the bundle", seen, f"missing: {', '.join(missing)}; {AGAIN}" if missing else "")


def _has(name: str, loaded: set[str]) -> bool:
    """Tell whether an image is among the loaded ones, which may have the registry's name in front or not."""
    return any(tag == name or tag.endswith(f"/{name}") or name.endswith(f"/{tag}") for tag in loaded)


def _wheels(wheels: dict[str, str]) -> Finding:
    needed = pinned(LOCK.read_text(encoding="utf-8"))
    fitting = {checksum for name, checksum in wheels.items() if _fits(name)}
    missing = [f"{each.name} {each.version}" for each in needed if not each.hashes & fitting]
    seen = f"{len(needed) - len(missing)} of {len(needed)} packages, by checksum and for this Python"
    some = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return Finding("packages in the bundle", seen, f"missing: {some}; {AGAIN}" if missing else "")


def _fits(name: str) -> bool:
    """Tell whether this Python can install a wheel."""
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return False
    return any(tag in tags for tag in sys_tags())
