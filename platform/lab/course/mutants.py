"""Known wrong and known different right solutions: the graders are graded with them.

`checks/mutants/NN-name/NAME.patch` is a difference to the platform's modules. Its first lines say
`check: test_…` (the check that must catch it) or `right: …` (what is different and still right).
`NAME.txt` beside it keeps the words of the verdict, so that a change of wording is reviewed.
"""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from civildiy.course_runtime.starter import DESCRIPTION
from lab import environment
from lab.backends.protocol import Backend
from lab.course import running
from lab.course.exercise import CHECKS, LABS, Exercise, exercises
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import REPO, Home

WORK = LABS / running.WORK


@dataclass(frozen=True)
class Mutant:
    """One changed solution. `check` is empty when it is right."""

    lab: Exercise
    patch: Path
    check: str

    @property
    def name(self) -> str:
        """'01-services/null-on-put'."""
        return f"{self.patch.parent.name}/{self.patch.stem}"

    @property
    def depth(self) -> int:
        """How many folders the patch names before a file; the files of a lab lie in one folder."""
        header = re.search(r"^--- (\S+)", self.patch.read_text(encoding="utf-8"), re.MULTILINE)
        return header[1].count("/") if header else 1

    @property
    def wording(self) -> Path:
        """Where the words of its verdict are kept."""
        return self.patch.with_suffix(".txt")


def mutants() -> list[Mutant]:
    """All mutants of all labs."""
    found = []
    for lab in exercises():
        for patch in sorted((CHECKS / "mutants" / lab.folder.name).glob("*.patch")):
            kind, _, value = patch.read_text(encoding="utf-8").partition("\n")[0].partition(": ")
            if kind not in ("check", "right"):
                raise LabError(f"{patch.name}: the first line is neither 'check: …' nor 'right: …'")
            found.append(Mutant(lab, patch, value if kind == "check" else ""))
    return found


class Stage:
    """The lab's units run what is put here; saving is enough, as it is for a learner.

    `merged`: what is still as in the starter is the platform's, as it is for a learner. Else the files run
    as they are: nothing of a mutant is repaired.
    """

    def __init__(self, home: Home, backend: Backend, lab: Exercise, *, merged: bool = False) -> None:
        self._home, self._backend, self.lab = home, backend, lab
        self.folder = WORK / lab.folder.name
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / DESCRIPTION).unlink(missing_ok=True)
        if merged:
            (self.folder / DESCRIPTION).write_bytes((lab.folder / DESCRIPTION).read_bytes())
        self.reference()
        files = {p.module: (self.folder / p.file.name).relative_to(LABS).as_posix() for p in lab.pieces}
        running.use(home, backend, lab, files)

    def reference(self) -> None:
        """The platform's own text."""
        for piece in self.lab.pieces:
            (self.folder / piece.file.name).write_bytes(piece.source.read_bytes())

    def step(self, step: int) -> None:
        """The starter, with one step written as the platform has it."""
        for piece in self.lab.pieces:
            others = {name: number for name, number in piece.left_out.items() if number != step}
            text = starter(self.lab, replace(piece, left_out=others))
            (self.folder / piece.file.name).write_text(text, encoding="utf-8")

    def play(self, mutant: Mutant) -> None:
        """The platform's text with the mutant's change."""
        self.reference()
        env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(WORK.parent)}
        command = ["git", "apply", f"-p{mutant.depth}", str(mutant.patch)]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"{mutant.name} does not fit the platform any more: {done.stderr.strip()}")

    def grade(self, *options: str, only: str | Sequence[str] = "") -> tuple[int, list[dict[str, Any]]]:
        """Exit code and verdicts of the lab's checks, or of those called `only`, in that order."""
        file = self.folder / "verdicts.json"
        file.unlink(missing_ok=True)
        names = [only] if isinstance(only, str) else only
        checks = [f"{self.lab.checks}::{name}" if name else str(self.lab.checks) for name in names]
        pytest = [*environment.pytest_command(), f"--confcutdir={CHECKS}"]
        command = [*pytest, "-q", "--seed=1", f"--verdicts={file}", *options, *checks]
        # Not inside the surrounding pytest's environment: this is a run of its own.
        env = environment.own() | running.NO_PLUGINS
        done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
        if not file.exists():
            raise LabError(f"The checks of lab {self.lab.number} did not run:\n{done.stdout}{done.stderr}")
        found: list[dict[str, Any]] = json.loads(file.read_text())
        return done.returncode, found

    def close(self) -> None:
        """Back to the platform's own code."""
        running.use(self._home, self._backend, self.lab, None)


class Stages:
    """One stage at a time: the lab that is played now."""

    def __init__(self, home: Home, backend: Backend) -> None:
        self._home, self._backend = home, backend
        self._stage: Stage | None = None

    def of(self, lab: Exercise) -> Stage:
        """The stage of this lab; that of another one is closed."""
        if self._stage is None or self._stage.lab != lab:
            self.close()
            self._stage = Stage(self._home, self._backend, lab)
        return self._stage

    def close(self) -> None:
        """The platform's own code runs again."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None
