"""Thirty generated submissions over all labs: right, wrong, unfinished, hostile, and files that are none."""

import json
import os
import stat
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import hostile_code

from lab.classroom.submission import FORMAT, KIND, below_labs, course_version
from lab.course.exercise import Exercise, exercise, exercises
from lab.course.mutants import Mutant, mutants
from lab.course.starter import starter

WRONG = (
    "03-gateway/cleans-protected-only", "04-auth/algorithm-from-the-token",
    "06-events/no-version", "07-feeds/no-expiry", "08-cqrs/one-get-per-item",
)  # fmt: skip
"""Known wrong solutions, each caught by one known check."""


@dataclass(frozen=True)
class Expected:
    """What must come out of a submission: the outcome of its lab, and the check that fails."""

    file: str
    name: str
    lab: str = ""
    outcome: str = "pass"
    failed: str = ""
    refused: str = ""
    steps: tuple[tuple[str, str], ...] = ()


def archive(file: Path, name: str, files: Mapping[str, bytes], **changed: object) -> None:
    """Write an archive as ./lab submit does: the same content is always the same file."""
    facts: dict[str, object] = {
        "kind": KIND, "format": FORMAT, "name": name, "made": "2026-11-30T04:00:00Z", "course": "Test",
        "versions": {"course": course_version()},
    }  # fmt: skip
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(zipfile.ZipInfo("manifest.json"), json.dumps(facts | changed))
        for path, content in files.items():
            made.writestr(zipfile.ZipInfo(f"labs/{path}"), content)


def right(lab: Exercise) -> dict[str, bytes]:
    """Return the reference solution of a lab."""
    return {below_labs(piece): piece.source.read_bytes() for piece in lab.pieces}


def first_step(lab: Exercise) -> dict[str, bytes]:
    """Return the starters with the reference's code for step 1."""
    made = {}
    for piece in lab.pieces:
        others = {name: step for name, step in piece.left_out.items() if step != 1}
        made[below_labs(piece)] = starter(lab, replace(piece, left_out=others)).encode()
    return made


def wrong(mutant: Mutant, work: Path) -> dict[str, bytes]:
    """Return the reference with the mistake of a mutant."""
    folder = work / mutant.patch.stem
    folder.mkdir()
    for piece in mutant.lab.pieces:
        (folder / piece.file.name).write_bytes(piece.source.read_bytes())
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(work)}
    command = ["git", "apply", f"-p{mutant.depth}", str(mutant.patch)]
    subprocess.run(command, cwd=folder, env=env, check=True)
    return {below_labs(piece): (folder / piece.file.name).read_bytes() for piece in mutant.lab.pieces}


def generate(folder: Path, work: Path) -> list[Expected]:
    """Write thirty files into `folder`, and return what must come out of each."""
    expected = []
    for lab in exercises():
        if lab.option:  # the fresh systems of a class do not have it, so the lab is not judged
            continue
        name = "Ada Lovelace" if lab.number in ("01", "02") else f"Right {lab.number}"  # two have one name
        archive(folder / f"right-{lab.number}.zip", name, right(lab))
        expected.append(Expected(f"right-{lab.number}.zip", name, lab.number))
    known = {mutant.name: mutant for mutant in mutants()}
    for mutant in (known[name] for name in WRONG):
        file = f"wrong-{mutant.lab.number}.zip"
        archive(folder / file, f"Wrong {mutant.lab.number}", wrong(mutant, work))
        expected.append(Expected(file, f"Wrong {mutant.lab.number}", mutant.lab.number, "fail", mutant.check))
    archive(folder / "first-05.zip", "First 05", first_step(exercise("05")))
    expected.append(Expected("first-05.zip", "First 05", "05", "not attempted", steps=(("1", "pass"),)))
    for kind in hostile_code.KINDS:
        file = f"hostile-{kind.replace(' ', '-')}.zip"
        archive(folder / file, f"Hostile: {kind}", hostile_code.files(kind))
        outcome = "pass" if kind in hostile_code.HARMLESS else ""
        expected.append(Expected(file, f"Hostile: {kind}", "01", outcome))
    return [*expected, *_no_submissions(folder)]


def _no_submissions(folder: Path) -> list[Expected]:
    (folder / "empty.zip").touch()
    (folder / "essay.zip").write_text("I could not finish.\n" * 20, encoding="utf-8")
    archive(folder / "later.zip", "Later", right(exercise("01")), format=99)
    archive(folder / "outside.zip", "Outside", {"../../../checks/conftest.py": b""})
    with zipfile.ZipFile(folder / "link.zip", "w") as made:
        member = zipfile.ZipInfo("labs/01-services/api.py")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    return [
        Expected("empty.zip", "", refused="is empty"), Expected("essay.zip", "", refused="not a ZIP"),
        Expected("later.zip", "", refused="version 99"), Expected("outside.zip", "", refused="leaves"),
        Expected("link.zip", "", refused="link"),
    ]  # fmt: skip
