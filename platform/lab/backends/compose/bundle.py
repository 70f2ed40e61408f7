"""The archive for machines without a network: all images, and the packages that ./lab itself needs."""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lab.backends.compose import engine
from lab.backends.compose.images import used
from lab.errors import LabError
from lab.home import REPO

BUNDLE = "civildiy-classroom.tar"
IMAGES, WHEELS = "images.tar", "wheels"


def images() -> list[str]:
    """Return the full names of all images that docker-compose.yml uses."""
    return sorted(used())


def bundle(file: Path) -> None:
    """Write all images, and the packages that ./lab itself needs, into one archive.

    Raises LabError when an image is missing (the error names it) or a package cannot be fetched.
    """
    missing = [name for name in images() if engine.run("image", "inspect", name).returncode != 0]
    if missing:
        raise LabError(
            f"These images are not on this machine yet: {', '.join(missing)}."
            " Run ./lab up once, which pulls them; then run ./lab bundle again."
        )
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        engine.must("save", "--output", f"{folder}/{IMAGES}", *images(), timeout=None)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
               "--only-binary=:all:", "--dest", f"{folder}/{WHEELS}", "--requirement",
               str(REPO / "requirements" / "lab.lock")]  # fmt: skip
        if subprocess.run(pip, check=False).returncode != 0:
            raise LabError(
                "pip could not download the packages that ./lab needs (its error is above)."
                " Check the network, then run ./lab bundle again."
            )
        new = Path(folder) / file.name
        with tarfile.open(new, "w") as archive:
            for name in (WHEELS, IMAGES):
                archive.add(f"{folder}/{name}", arcname=name)
        new.replace(file)


def unbundle(file: Path) -> list[str]:
    """Load the images from an archive that `bundle` wrote, and return their names. Raises LabError."""
    if not file.exists():
        raise LabError(
            f"There is no file {file}. Create it on a machine with a network: ./lab bundle {file.name}"
        )
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        try:
            with tarfile.open(file) as archive:
                archive.extract(IMAGES, folder, filter="data")
        except (tarfile.TarError, KeyError) as error:
            raise LabError(
                f"{file} is incomplete, or ./lab bundle did not write it: {error}."
                f" Copy it again, or create it again: ./lab bundle {file.name}"
            ) from error
        output = engine.must("load", "--input", f"{folder}/{IMAGES}", timeout=None)
    return [line.partition(": ")[2] for line in output.splitlines() if line.startswith("Loaded image: ")]
