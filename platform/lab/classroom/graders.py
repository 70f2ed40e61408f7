"""The instructor's own graders: a fingerprint of them, and the list of all checks with their points."""

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lab import environment
from lab.course import running
from lab.course.exercise import CHECKS
from lab.errors import LabError
from lab.home import LABS, PLATFORM, REPO

SUFFIXES = {".py", ".toml", ".env", ".lua", ".yml", ".json"}


def fingerprint() -> str:
    """Return a hash of everything that decides about a verdict: graders, platform, and the labs' tasks."""
    digest = hashlib.sha256()
    files = [path for folder in (CHECKS, PLATFORM) for path in folder.rglob("*") if path.suffix in SUFFIXES]
    for file in sorted([*files, *LABS.glob("*/exercise.toml")]):
        digest.update(str(file.relative_to(REPO)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def listed() -> list[dict[str, Any]]:
    """Return each check of the course: its name (check), title, lab, step and points. Raises LabError."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checks.json"
        command = [
            *environment.pytest_command(), f"--confcutdir={CHECKS}", "-q", "-p", "no:cacheprovider",
            f"--list-checks={file}", str(CHECKS),
        ]  # fmt: skip
        env = environment.own() | running.NO_PLUGINS
        done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
        if not file.exists():
            last = (done.stdout + done.stderr).strip().splitlines()[-8:]
            raise LabError("The checks cannot be listed:\n" + "\n".join(last))
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return found
