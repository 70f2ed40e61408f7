"""Compare two checkouts, or this one with and without an option: both run side by side, measured in turn.

Each system is started with `--as NAME`, so it has its own addresses and data, and is removed at the end.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lab import environment
from lab.backends.protocol import Unit
from lab.bench.figures import figures
from lab.bench.rounds import measure
from lab.bench.run import side_of
from lab.bench.side import Side
from lab.bench.wrk import refuse_missing
from lab.errors import LabError
from lab.home import REPO
from lab.memory import together
from lab.progress import Progress

UP_SECONDS = 600.0
TRACE_RATIO = "0.1"
"""What observability may cost is promised for this share of recorded requests; LAB_TRACE_RATIO changes it."""


def compare(other: Path, rounds: int, progress: Progress, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures of this checkout with those of `other` as its reference. Raises LabError.

    `options` are those of `./lab up --with` for this checkout alone.
    """
    refuse_missing()
    if not (other / "lab").is_file():
        raise LabError(f"{other} is no checkout of this course: there is no file lab in it.")
    with ExitStack() as stack:
        began = (("bench-this", REPO, options), ("bench-other", other.resolve(), ()))
        sides = {
            name: stack.enter_context(_started(folder, name, added, progress))
            for name, folder, added in began
        }
        measured = measure(sides, rounds, progress)
        memory = {name: _memory(folder, name) for name, folder, _ in began}
    found = figures(measured["bench-this"], measured["bench-other"], memory["bench-this"])
    return found | {"memory_reference_mb": memory["bench-other"] / 1e6}


def _memory(folder: Path, name: str) -> int:
    units = _asked(folder, name, "status")
    return together([Unit(**{field: unit[field] for field in Unit.__annotations__}) for unit in units])


@contextmanager
def _started(folder: Path, name: str, options: Sequence[str], progress: Progress) -> Iterator[Side]:
    progress.say("bench", f"starting {folder}" + f" with {', '.join(options)}" * bool(options))
    try:
        _lab(folder, name, "up", *(word for option in options for word in ("--with", option)))
        pids = [unit["pid"] for unit in _asked(folder, name, "status") if unit["pid"]]
        with side_of(_asked(folder, name, "endpoints"), pids, progress) as side:
            yield side
    finally:
        _lab(folder, name, "reset", "--yes")


def _asked(folder: Path, name: str, command: str) -> Any:
    return json.loads(_lab(folder, name, command, "--json"))


def _lab(folder: Path, name: str, *arguments: str) -> str:
    """Run ./lab of a checkout for the system `name`; return what it printed. Raises LabError."""
    variables = {
        variable: value
        for variable, value in environment.own().items()
        if not variable.startswith(("LAB_PORT_", "LAB_LOOPBACK"))
    }
    variables.setdefault("LAB_TRACE_RATIO", TRACE_RATIO)
    ran = subprocess.run(
        [folder / "lab", *arguments, "--as", name], env=variables, cwd=folder,
        text=True, capture_output=True, timeout=UP_SECONDS, check=False,
    )  # fmt: skip
    if ran.returncode != 0:
        raise LabError(f"{folder}/lab {' '.join(arguments)} --as {name} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout
