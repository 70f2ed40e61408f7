"""The import finder that loads some modules from the learner's files."""

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from civildiy.course_runtime.loader import FreshLoader, MergingLoader, Unusable
from civildiy.course_runtime.starter import task_beside


def learner_code(unit: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what `unit` must run: LAB_CODE, or that line of its file in the folder LAB_CODE_SETTINGS."""
    folder = environment.get("LAB_CODE_SETTINGS", "")
    if not folder:
        return environment.get("LAB_CODE", "")
    try:
        lines = (Path(folder) / f"{unit}.env").read_text().splitlines()
        told = [line.partition("=")[2] for line in lines if line.startswith("LAB_CODE=")]
        return "".join(shlex.split(told[-1])) if told else ""
    except (OSError, ValueError):  # the file is missing, or the lab did not write it
        return ""


def learner_files(code: str, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Return module name to file, from `code` (see `learner_code`) and LAB_CODE_FOLDER."""
    folder = Path(environment.get("LAB_CODE_FOLDER", "."))
    pairs = [pair for pair in code.split(",") if pair]
    return {module: folder / name for module, _, name in (pair.partition("=") for pair in pairs)}


def fingerprint(file: Path) -> str:
    """Return a short hash of a file's bytes; 'missing' when it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError:
        return "missing"


class LearnerFinder(MetaPathFinder):
    """Finds the modules that the learner writes; leaves all others to Python's own finders.

    A file with an exercise.toml beside it is merged with the platform's module. `unusable` is told of one
    that cannot be used, and the platform's module runs then; without it, the import raises.
    """

    def __init__(self, files: Mapping[str, Path], unusable: Unusable | None = None) -> None:
        self._files = files
        self._unusable = unusable

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a learner's module, None for every other."""
        if (file := self._files.get(fullname)) is None:
            return None
        loader = FreshLoader(fullname, str(file))
        platform = PathFinder.find_spec(fullname, path)
        task = task_beside(file, fullname)
        if platform and platform.origin and task:
            loader = MergingLoader(fullname, file, Path(platform.origin), task, self._unusable)
        return spec_from_file_location(fullname, file, loader=loader)
