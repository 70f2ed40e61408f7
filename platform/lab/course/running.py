"""Choose whose code the units run, and read from their logs which code that is."""

import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from civildiy.course_runtime.finder import fingerprint
from civildiy.course_runtime.incidents import MARK
from lab.backends import overrides
from lab.backends.protocol import Backend
from lab.course.exercise import Exercise, exercises
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import LABS, Home

LOADED_SECONDS = 20.0
LOG_LINES = 4000
NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""For a pytest that runs only checks. Importing all installed plugins takes two seconds."""
WORK = ".mutants"
"""Folder below labs/ in which tests put solutions of their own."""


WORDS = {
    "blocked": "does not return", "ended": "ended the process",
    "unusable": "raised while it was imported",
}  # fmt: skip
"""Maps the kind of an incident to a verb."""


@dataclass(frozen=True)
class Incident:
    """An error of the learner's code. `time` is in Unix seconds, and `line` counts from 1."""

    unit: str
    time: float
    kind: str
    file: str
    line: int
    source: str
    text: str

    @property
    def not_attempted(self) -> bool:
        """Whether the starter's own `raise NotImplementedError` caused it."""
        return self.text.startswith("NotImplementedError: Lab ")

    def __str__(self) -> str:
        happened = WORDS.get(self.kind, "raised")
        where = f"labs/{self.file}, line {self.line}" if self.line else f"labs/{self.file}"
        return f"{where} {happened}: {self.text}" + (f"\n    {self.source}" if self.source else "")


def entries(backend: Backend, unit: str) -> list[dict[str, Any]]:
    """Return what a unit has logged about the learner's code, oldest first."""
    command = backend.marked_command(unit, LOG_LINES)
    # Read bytes, because a learner's code may print what is no text.
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    found = []
    for line in output.decode(errors="replace").splitlines():
        _, mark, rest = line.partition(MARK)
        if mark:
            try:
                found.append(json.loads(rest))
            except ValueError:
                continue  # the log's end cut the line, or the learner's code printed it
    return [entry for entry in found if isinstance(entry, dict) and "kind" in entry and "time" in entry]


def incidents(backend: Backend, units: tuple[str, ...], since: float) -> list[Incident]:
    """Return the incidents of these units since a Unix time, oldest first."""
    found = [
        _incident(unit, entry)
        for unit in units
        for entry in entries(backend, unit)
        if entry["time"] >= since and entry["kind"] in ("raised", "blocked", "ended")
    ]
    return sorted(found, key=lambda incident: incident.time)


def unusable(backend: Backend, unit: str) -> list[Incident]:
    """Return the files that `unit` cannot import. It runs the platform's modules in their place."""
    events = entries(backend, unit)
    began = max((entry["time"] for entry in events if entry["kind"] == "started"), default=0.0)
    return [_incident(unit, e) for e in events if e["kind"] == "unusable" and e["time"] >= began]


def _incident(unit: str, entry: dict[str, Any]) -> Incident:
    words = (entry[name] for name in ("time", "kind", "file", "line", "source", "text"))
    return Incident(unit, *words)


def is_waiting(backend: Backend, unit: str) -> bool:
    """Tell whether `unit` has given up the learner's code and waits for the next save."""
    kinds = [entry["kind"] for entry in entries(backend, unit) if entry["kind"] in ("started", "waiting")]
    return kinds[-1:] == ["waiting"]


def code_of(home: Home, unit: str) -> dict[str, str]:
    """Return the learner's modules that `unit` is configured to run: module to file below labs/."""
    pairs = overrides.read(home, unit).get("LAB_CODE", "").split(",")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def is_active(home: Home, lab: Exercise) -> bool:
    """Tell whether the system is configured to run the learner's code of this lab."""
    return all(piece.module in code_of(home, unit) for piece in lab.pieces for unit in piece.units)


def active(home: Home) -> list[Exercise]:
    """Return all labs for which the system runs the learner's code."""
    return [lab for lab in exercises() if is_active(home, lab)]


def running_files(home: Home, lab: Exercise) -> dict[str, Path]:
    """Return the file that runs for each module of the lab: the learner's, or that of a test."""
    told = {module: LABS / file for unit in lab.units for module, file in code_of(home, unit).items()}
    return {piece.module: told.get(piece.module, piece.file) for piece in lab.pieces}


def use(home: Home, backend: Backend, lab: Exercise, files: dict[str, str] | None) -> None:
    """Let the lab's units run `files` (module to file below labs/), or the platform's own code for None."""
    began = time.time()
    since = {}
    for unit in lab.units:
        before = code_of(home, unit)
        code = dict(before)
        for piece in lab.pieces:
            code.pop(piece.module, None)
            if files and unit in piece.units:
                code[piece.module] = files[piece.module]
        _set_code(backend, unit, overrides.read(home, unit), code)
        # Inside JupyterLab's container nothing restarts a unit. It restarts itself when its settings change.
        since[unit] = 0 if backend.kind == "inside" and code == before else began
    if backend.running():
        for unit in lab.units:
            wait_until_loaded(home, backend, unit, since[unit])


def forget_lost(home: Home, backend: Backend) -> list[str]:
    """Remove settings for files that no longer exist or belonged to a test; return the units concerned.

    A test that was killed, or another clone that shares the home, leaves such settings behind.
    """
    found = []
    for unit, settings in overrides.everywhere(home).items():
        code = code_of(home, unit)
        kept = {m: f for m, f in code.items() if not f.startswith(WORK) and (LABS / f).is_file()}
        if kept != code:
            _set_code(backend, unit, settings, kept)
            found.append(unit)
    return found


def _set_code(backend: Backend, unit: str, settings: dict[str, str], code: dict[str, str]) -> None:
    settings.pop("LAB_CODE", None)
    if code:
        settings["LAB_CODE"] = ",".join(f"{module}={file}" for module, file in code.items())
    backend.override(unit, settings)


def wait_until_loaded(home: Home, backend: Backend, unit: str, since: float = 0) -> float:
    """Wait until `unit` runs the files as they are now; return when it started (Unix time).

    Raises LabError with the last observed state.
    """
    saved = {module: fingerprint(LABS / file) for module, file in code_of(home, unit).items()}
    backend.deliver(unit)
    deadline = time.monotonic() + LOADED_SECONDS * slow()
    while True:
        begun = [e for e in entries(backend, unit) if e["kind"] == "started"]
        if begun and begun[-1]["files"] == saved and begun[-1]["time"] >= since:
            return float(begun[-1]["time"])
        if time.monotonic() > deadline:
            seen = begun[-1]["files"] if begun else "no start"
            raise LabError(
                f"{unit} did not start with {saved or 'its own code'}"
                f" within {LOADED_SECONDS * slow():.0f} s; its log shows {seen}."
                f" Find the cause: ./lab logs {unit}"
            )
        time.sleep(0.1)


def files_of(lab: Exercise) -> dict[str, str]:
    """Return the learner's files: module to file below labs/."""
    return {piece.module: piece.file.relative_to(LABS).as_posix() for piece in lab.pieces}


def keep_copy(home: Home, file: Path) -> Path:
    """Copy a learner's file, or the folder or link in its place, before it is replaced; return the copy."""
    folder = home.root / "attempts" / file.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}-{file.name}"
    if file.is_dir():
        shutil.copytree(file, copy, symlinks=True)
    elif file.exists():
        copy.write_bytes(file.read_bytes())
    else:  # a link whose target does not exist
        copy.symlink_to(file.readlink())
    return copy
