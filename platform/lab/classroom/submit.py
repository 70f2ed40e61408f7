"""Write a learner's work into one archive, with nothing else from the machine."""

import json
import platform
import re
import time
import unicodedata
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.classroom.course_file import Course
from lab.classroom.submission import (
    FORMAT,
    KIND,
    LARGEST_FILE,
    LONGEST_NAME,
    MANIFEST,
    PREDICTIONS,
    RECORD,
    below_labs,
    course_version,
)
from lab.course import steps
from lab.course.exercise import Exercise
from lab.course.record import Record
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import REPO, Home
from lab.text import visible

PREDICTIONS_FILE = "predictions.json"
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of each member: the moment is in the manifest, in UTC."""


@dataclass(frozen=True)
class Written:
    """The archive, its members with their sizes in bytes, and a sentence about each lab that is in it."""

    file: Path
    members: dict[str, int]
    labs: list[str]


def submit(home: Home, course: Course, name: str, folder: Path) -> Written:
    """Write the archive into `folder`. Raises LabError when the name is unfit, or nothing is written yet."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise LabError(
            f'The name must have 1 to {LONGEST_NAME} printable characters: ./lab submit --name "Ada Lovelace"'
        )
    labs = [lab.exercise for lab in course.labs]
    files, remarks = _files(labs)
    if not files:
        raise LabError(
            "You have not changed a file of these labs yet, so there is nothing to submit."
            f"\nBegin: ./lab start {labs[0].number}"
        )
    numbers = sorted({file[:2] for file in files})
    record = Record(home)
    parts = {
        MANIFEST: _json({
            "kind": KIND, "format": FORMAT, "name": name, "course": course.name, "labs": numbers,
            "made": time.strftime("%FT%TZ", time.gmtime()),
            "versions": {"course": course_version(), "python": platform.python_version()},
        }),
        RECORD: _json(_private({n: record.of(n) for n in numbers if record.of(n)}, home)),
        PREDICTIONS: _json(_private(_predictions(home), home)),
        **{f"labs/{path}": content for path, content in files.items()},
    }  # fmt: skip
    return Written(_write(folder, name, parts), {part: len(text) for part, text in parts.items()}, remarks)


def _files(labs: list[Exercise]) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of each lab in which at least one file differs from its starter."""
    files: dict[str, bytes] = {}
    remarks = []
    for lab in labs:
        own = [(piece, piece.file.read_bytes()) for piece in lab.pieces if piece.file.is_file()]
        if all(text == starter(lab, piece).encode() for piece, text in own):
            continue
        for piece, text in own:
            if len(text) > LARGEST_FILE:
                raise LabError(
                    f"labs/{below_labs(piece)} has {len(text):,} bytes; a file may have {LARGEST_FILE:,}."
                    " Remove what does not belong to the lab."
                )
            files[below_labs(piece)] = text
        now = steps.steps_of(lab, {piece.module: piece.file for piece in lab.pieces})
        done = ", ".join(str(step.number) for step in now if step.state is steps.State.WRITTEN) or "none"
        broken = "".join(
            f"; step {step.number} cannot run" for step in now if step.state is steps.State.BROKEN
        )
        remarks.append(f"lab {lab.number} {lab.title}: your code for step {done}{broken}")
    return files, remarks


def _predictions(home: Home) -> dict[str, Any]:
    try:
        found = json.loads((home.root / PREDICTIONS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _private(found: Any, home: Home) -> Any:
    """Return the same data without the paths of this machine, which an error message may contain."""
    if isinstance(found, dict):
        return {key: _private(value, home) for key, value in found.items()}
    if isinstance(found, list):
        return [_private(value, home) for value in found]
    if not isinstance(found, str):
        return found
    places = {str(REPO): ".", str(home.root): "LAB_HOME"}
    with suppress(RuntimeError):  # this user has no home folder
        places[str(Path.home())] = "~"
    for path in sorted(places, key=len, reverse=True):
        if path != "/":
            found = found.replace(path, places[path])
    return found


def _json(found: object) -> bytes:
    # Half a surrogate pair cannot be encoded; as an escape, it is valid JSON.
    return json.dumps(found, indent=1, ensure_ascii=False).encode(errors="backslashreplace")


def _write(folder: Path, name: str, parts: dict[str, bytes]) -> Path:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:40] or "submission"
    file = folder / f"{slug}-{time.strftime('%Y%m%d-%H%M%S')}.zip"
    new = file.with_suffix(".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in parts.items():
                archive.writestr(zipfile.ZipInfo(part, EARLIEST), content, zipfile.ZIP_DEFLATED)
        new.replace(file)
    except OSError as error:
        raise LabError(
            f"The archive cannot be written to {visible(folder)}: {error.strerror}."
            " Name another folder: --out FOLDER"
        ) from None
    return file
