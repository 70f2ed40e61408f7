"""Read and run known wrong solutions, and right ones that differ from the platform: they test the checks.

`checks/mutants/NN-name/NAME.patch` is a diff against the platform's modules. Its first line is
`check: test_…` (the check that must catch it) or `right: …` (what is different and still right).
`NAME.txt` beside it holds the text of the verdict, so that a change of the text is reviewed.
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
from lab.course.exercise import CHECKS, Exercise, exercises
from lab.course.starter import starter
from lab.errors import LabError
from lab.home import LABS, REPO, Home

WORK = LABS / running.WORK


@dataclass(frozen=True)
class Mutant:
    """One changed solution. `check` is empty for a right one."""

    lab: Exercise
    patch: Path
    check: str

    @property
    def name(self) -> str:
        """The name with its folder, such as '01-services/null-on-put'."""
        return f"{self.patch.parent.name}/{self.patch.stem}"

    @property
    def depth(self) -> int:
        """How many folders to strip from the patch's paths, because the files of a lab are in one folder."""
        header = re.search(r"^--- (\S+)", self.patch.read_text(encoding="utf-8"), re.MULTILINE)
        return header[1].count("/") if header else 1

    @property
    def wording(self) -> Path:
        """The file with the text of its verdict."""
        return self.patch.with_suffix(".txt")


def mutants() -> list[Mutant]:
    """Return the mutants of all labs. Raises LabError for a patch without a valid first line."""
    found = []
    for lab in exercises():
        for patch in sorted((CHECKS / "mutants" / lab.folder.name).glob("*.patch")):
            kind, _, value = patch.read_text(encoding="utf-8").partition("\n")[0].partition(": ")
            if kind not in ("check", "right"):
                raise LabError(f"{patch.name}: the first line is neither 'check: …' nor 'right: …'")
            found.append(Mutant(lab, patch, value if kind == "check" else ""))
    return found


class Stage:
    """A folder whose files the lab's units run. Writing a file is enough, as it is for a learner.

    With `merged`, the platform's code runs for each part that is still as in the starter, as it does for a
    learner. Without it, the files run as they are, so that nothing repairs a mutant.
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
        """Write the platform's own modules."""
        for piece in self.lab.pieces:
            (self.folder / piece.file.name).write_bytes(piece.source.read_bytes())

    def step(self, step: int) -> None:
        """Write the starter with the platform's code for one step."""
        for piece in self.lab.pieces:
            others = {name: number for name, number in piece.left_out.items() if number != step}
            text = starter(self.lab, replace(piece, left_out=others))
            (self.folder / piece.file.name).write_text(text, encoding="utf-8")

    def play(self, mutant: Mutant) -> None:
        """Write the platform's modules with the mutant's change. Raises LabError for a patch that fails."""
        self.reference()
        env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(WORK.parent)}
        command = ["git", "apply", f"-p{mutant.depth}", str(mutant.patch)]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(
                f"{mutant.name} cannot be applied to the platform's modules: {done.stderr.strip()}"
            )

    def grade(self, *options: str, only: str | Sequence[str] = "") -> tuple[int, list[dict[str, Any]]]:
        """Return the exit code and verdicts of the lab's checks, or of those called `only`, in that order."""
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
        """Let the units run the platform's own code again."""
        running.use(self._home, self._backend, self.lab, None)


class Stages:
    """Keeps one stage open: that of the lab that was used last."""

    def __init__(self, home: Home, backend: Backend) -> None:
        self._home, self._backend = home, backend
        self._stage: Stage | None = None

    def of(self, lab: Exercise) -> Stage:
        """Return the stage of this lab, and close that of another one."""
        if self._stage is None or self._stage.lab != lab:
            self.close()
            self._stage = Stage(self._home, self._backend, lab)
        return self._stage

    def close(self) -> None:
        """Close the open stage."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None
