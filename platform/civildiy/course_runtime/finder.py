"""The import finder that loads some modules from the learner's files."""

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType


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


class FreshLoader(SourceFileLoader):
    """Compiles the present source. Python's cache would mix up two versions saved within one second."""

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """The code object of the file's present text.

        Raises SyntaxError that names the file for whatever cannot be compiled (Python itself names none for
        a NUL byte), and ImportError for what cannot be read.
        """
        try:
            return self.source_to_code(self.get_data(self.path), self.path)
        except SyntaxError as error:
            error.filename = error.filename or self.path
            raise
        except (ValueError, RecursionError, MemoryError) as error:
            said = f"{type(error).__name__}: {error}"
            raise SyntaxError(said, (self.path, 1, 1, None)) from None
        except OSError as error:
            raise ImportError(f"{error.strerror}", name=fullname, path=self.path) from error


class LearnerFinder(MetaPathFinder):
    """Finds the modules that the learner writes; leaves all others to Python's own finders."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a learner's module, None for every other."""
        if (file := self._files.get(fullname)) is None:
            return None
        return spec_from_file_location(fullname, file, loader=FreshLoader(fullname, str(file)))
