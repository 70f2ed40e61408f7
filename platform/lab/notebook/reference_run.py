"""Run the notebooks on the live system and write the reference copies (`python -m lab.notebook.sources`)."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from lab import environment
from lab.course.exercise import Exercise, exercises
from lab.course.options import lacking
from lab.deadlines import slow
from lab.errors import LabError
from lab.home import REPO, Home
from lab.jupyter import widgets
from lab.jupyter.kernel import NAME, ensure_kernel
from lab.notebook.texts import CELL_SECONDS, FOLDER, flaws, reference_cells, reference_of, texts

SECONDS = "notebook-seconds.json"
GUESS_SECONDS = 60.0
"""How long a notebook takes that never ran on this machine."""


def run(text: Path) -> Any:
    """Execute the cells of a source; returns the notebook with its outputs. Raises errors of nbclient."""
    ensure_kernel()
    made = reference_cells(text)
    client = NotebookClient(
        made, timeout=int(CELL_SECONDS * slow()), kernel_name=NAME, coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}}, record_timing=False,
    )  # fmt: skip
    # A reference copy shows text: no browser is there to draw a widget.
    client.execute(env={name: value for name, value in os.environ.items() if name != widgets.VARIABLE})
    for cell in made.cells:
        for output in cell.get("outputs", []):
            output.pop("metadata", None) if output.get("output_type") == "stream" else None
    made["metadata"]["language_info"] = {"name": "python"}
    return made


def make(numbers: Sequence[str]) -> None:
    """Write the reference copies of the notebooks named by number, or of all.

    A notebook that fails keeps its old copy, and the others still run. Raises LabError with all failures.
    """
    from lab.notebook.stack import backend, home

    chosen = [text for text in texts() if not numbers or text.stem[:2] in numbers]
    if unknown := {*numbers} - {text.stem[:2] for text in chosen}:
        raise LabError(f"There is no notebook {', '.join(sorted(unknown))} in notebooks/text.")
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up")
    for text, lack in [(text, lack) for text in chosen if (lack := _lack(text))]:
        if numbers:
            raise LabError(lack)
        print(f"{text.stem} is left out. {lack}", flush=True)
        chosen.remove(text)
    took = Durations(home)
    left = sum(took.of(text) for text in chosen)
    print(f"{len(chosen)} notebooks, about {left / 60:.0f} to {left * 1.5 / 60:.0f} minutes", flush=True)
    failed = {}
    for place, text in enumerate(chosen, 1):
        print(f"{place} of {len(chosen)}: {text.stem}, about {took.of(text):.0f} s … ", end="", flush=True)
        began = time.monotonic()
        if wrong := _make_one(text):
            failed[text.stem] = wrong
            print(f"FAILED after {time.monotonic() - began:.0f} s; its old copy stays", flush=True)
            _recover()
            continue
        took.keep(text, time.monotonic() - began)
        print(f"written after {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        again = " ".join(name[:2] for name in failed)
        told = "\n".join(f"\n{name}:\n{why}" for name, why in failed.items())
        raise LabError(
            f"{told}\n\n{len(failed)} of {len(chosen)} notebooks failed: {', '.join(failed)}"
            f"\nRun these once more: .venv/bin/python -m lab.notebook.sources {again}"
        )


def _make_one(text: Path) -> str:
    """Run one notebook and write its copy; returns why it was not written, '' if it was."""
    from lab.notebook.reference import instead
    from lab.notebook.stack import backend, home

    lab = _lab_of(text)
    try:
        with instead(home, backend, lab, solved=True) if lab else nullcontext():
            made = run(text)
    except (CellExecutionError, CellTimeoutError, DeadKernelError, LabError, OSError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    if wrong := flaws(made):
        return "\n".join(wrong)
    reference_of(text).parent.mkdir(exist_ok=True)
    nbformat.write(made, reference_of(text))  # type: ignore[no-untyped-call]
    return ""


def _lab_of(text: Path) -> Exercise | None:
    return next((lab for lab in exercises() if lab.number == text.stem[:2]), None)


def _lack(text: Path) -> str:
    """Return what the running system lacks for a notebook, in one sentence; '' if nothing."""
    from lab.notebook.stack import backend

    lab = _lab_of(text)
    return lacking(backend, lab) if lab else ""


def _recover() -> None:
    """Repair what a failed notebook may have left broken, so that the next one finds a healthy system."""
    for command in ("heal", "up"):
        subprocess.run(
            [sys.executable, "-P", "-m", "lab", command], cwd=REPO, env=environment.handed_on(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip


class Durations:
    """The duration of each notebook's last run on this machine."""

    def __init__(self, home: Home) -> None:
        self._file = home.root / SECONDS
        try:
            self._known = dict(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def of(self, text: Path) -> float:
        """Return the seconds that a notebook probably takes."""
        return float(self._known.get(text.stem, GUESS_SECONDS * slow()))

    def keep(self, text: Path, seconds: float) -> None:
        """Store the duration of a run."""
        self._known[text.stem] = round(seconds, 1)
        self._file.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
