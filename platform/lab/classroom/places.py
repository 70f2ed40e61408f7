"""The file system of a cell: everything read-only, private places hidden, and little that can be written.

MOUNT/home      LAB_HOME of the cell: data, logs and settings of its system
MOUNT/out       the job, and its result
MOUNT/scratch   the only folder that a learner's code may write to
MOUNT/tmp       temporary files of ./lab and of the checks
"""

import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.classroom import kernel
from lab.errors import LabError
from lab.home import LABS, REPO, Home

CANDIDATES = ("/mnt", "/media", "/srv", "/opt", "/tmp")  # noqa: S108 - a place to mount on
PRIVATE = ("/root", "/home", "/tmp", "/var/tmp", "/run", "/media", "/mnt")  # noqa: S108
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
SHARED = Path("/dev/shm")  # noqa: S108 - a file system of the cell alone
SCRATCH_MB = 64


@dataclass(frozen=True)
class Places:
    """The folders of a cell, below the place where its file system in memory is mounted."""

    mount: Path

    @property
    def home(self) -> Path:
        """LAB_HOME of the cell."""
        return self.mount / "home"

    @property
    def out(self) -> Path:
        """The folder that the cell shares with the command outside."""
        return self.mount / "out"

    @property
    def scratch(self) -> Path:
        """The folder that a learner's code may write to."""
        return self.mount / "scratch"

    @property
    def tmp(self) -> Path:
        """The folder for temporary files of ./lab and of the checks."""
        return self.mount / "tmp"


def needed(home: Home) -> list[Path]:
    """Return the folders that a cell reads: the course, Python, and the servers."""
    found = [REPO, Path(sys.prefix), Path(sys.base_prefix), home.servers]
    found += [server for server in home.servers.iterdir()] if home.servers.exists() else []
    whole = sorted({path.resolve() for path in found if path.exists()})
    return [
        path for path in whole if not any(path != other and path.is_relative_to(other) for other in whole)
    ]


def choose_mount(wanted: list[Path]) -> Path:
    """Return an existing folder that hides nothing which the cell needs. Raises LabError."""
    for name in CANDIDATES:
        place = Path(name)
        if place.is_dir() and not place.is_symlink() and not any(p.is_relative_to(place) for p in wanted):
            return place
    raise LabError(
        f"There is no place for the files of a submission: none of {', '.join(CANDIDATES)} is a free folder."
        "\nCreate one: sudo mkdir /mnt"
    )


def build(
    home: Home, out: Path, reference: Path | None, disk_mb: int, hide: list[Path], *, others: bool
) -> Places:
    """Arrange the file system of this mount namespace for a job, and return its places. Raises OSError.

    `reference` is the folder with the data of the reference system, which is copied. `hide` are further
    folders that the cell must not see. `others`: a second user must reach what the cell reads.
    """
    paths = needed(home)
    places = Places(choose_mount([*paths, out, *([reference] if reference else [])]))
    kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.tmpfs(places.mount, disk_mb)
    for folder in (places.home, places.out, places.scratch, places.tmp):
        folder.mkdir()
    kernel.tmpfs(places.scratch, SCRATCH_MB, "1777")
    kernel.bind(out, places.out)
    (places.home / "servers").symlink_to(home.servers.resolve())
    if reference:
        # cp, because Python's copytree writes the holes of Kafka's index files as zeros.
        subprocess.run(["cp", "-a", "--sparse=always", reference, places.home / "stack"], check=True)
    labs = _with_submission(places, out / "labs")
    _hide(places, paths, [*map(Path, PRIVATE), *(closed(paths) if others else []), *hide])
    kernel.bind(labs, LABS)
    _few_devices(places)
    kernel.set_read_only(Path("/"), read_only=True, below=True)
    for folder in (places.mount, places.scratch, places.out, SHARED):
        kernel.set_read_only(folder, read_only=False)
    return places


def _with_submission(places: Places, submitted: Path) -> Path:
    """Return a copy of labs/ with the starters replaced by what was submitted."""
    labs = places.mount / "labs"
    shutil.copytree(LABS, labs, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    if submitted.is_dir():
        shutil.copytree(submitted, labs, dirs_exist_ok=True)
    return labs


def _few_devices(places: Places) -> None:
    """Leave no device but the harmless ones: code that becomes root in the cell must not reach a disk."""
    for name in DEVICES:
        stage = places.mount / "stage" / f"dev-{name}"
        stage.parent.mkdir(exist_ok=True)
        stage.touch()
        kernel.bind(Path("/dev") / name, stage)
    kernel.tmpfs(Path("/dev"), 1)
    for name in DEVICES:
        (Path("/dev") / name).touch()
        kernel.bind(places.mount / "stage" / f"dev-{name}", Path("/dev") / name)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (Path("/dev") / name).symlink_to(f"/proc/self/fd{target}")
    SHARED.mkdir()
    kernel.tmpfs(SHARED, SCRATCH_MB, "1777")


def closed(wanted: list[Path]) -> list[Path]:
    """Return the folders above the needed ones that only their owner may enter."""
    above = {parent for path in wanted for parent in path.parents if parent != Path("/")}
    return [folder for folder in above if not folder.stat().st_mode & stat.S_IXOTH]


def _hide(places: Places, wanted: list[Path], hidden: list[Path]) -> None:
    """Mount an empty folder over each of the hidden ones, with only the needed folders in it."""
    real = {path.resolve() for path in hidden if path.is_dir()} - {places.mount}
    outermost = [p for p in sorted(real) if not any(p != other and p.is_relative_to(other) for other in real)]
    for place in outermost:
        inside = [path for path in wanted if path.is_relative_to(place)]
        if place in inside or places.mount.is_relative_to(place):
            continue
        stages = []
        for number, path in enumerate(inside):
            stage = places.mount / "stage" / f"{place.name}-{number}"
            stage.mkdir(parents=True)
            kernel.bind(path, stage)
            stages.append(stage)
        kernel.tmpfs(place, 1)
        for path, stage in zip(inside, stages, strict=True):
            path.mkdir(parents=True)
            kernel.bind(stage, path)
