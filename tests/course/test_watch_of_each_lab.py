"""`check --watch` shows a verdict of the step that changed within six seconds of a save, in each lab."""

import ast
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import backend, eventually, home

from civildiy.course_runtime.scope import is_text
from civildiy.course_runtime.starter import Def, names
from lab.course import running
from lab.course.exercise import Exercise, Piece, exercises
from lab.course.options import lacking
from lab.deadlines import slow
from lab.home import REPO
from lab.notebook.reference import instead

pytestmark = [pytest.mark.campaign, pytest.mark.live]

SECONDS = 6
FIRST_SECONDS = 400
"""The first run judges all steps."""


def spoiled(piece: Piece, step: int) -> str:
    """Return the module with a mistake in a part of the step; '' if the module has no part of it."""
    text = piece.source.read_text()
    lines = text.splitlines()
    for name, node in names(ast.parse(text)):
        if piece.left_out.get(name) != step:
            continue
        if isinstance(node, Def):
            body = next(found for found in node.body if not is_text(found))
            lines.insert(body.lineno - 1, f'{" " * body.col_offset}raise ValueError("mine")')
        else:  # a script or a setting
            lines[node.lineno - 1 : node.end_lineno] = [f"{' ' * node.col_offset}{name.split('.')[-1]} = ''"]
        return "\n".join(lines) + "\n"
    return ""


@contextmanager
def watching(lab: Exercise, heard: Path) -> Iterator[None]:
    """Run `./lab check NN --watch` on the solution; its output goes to `heard`."""
    with instead(home, backend, lab, solved=True), heard.open("w") as out:
        running.use(home, backend, lab, running.files_of(lab))
        # A background process ignores Ctrl-C, and its children inherit that.
        command = ["env", "--default-signal=INT", "./lab", "check", lab.number, "--watch"]
        process = subprocess.Popen(command, cwd=REPO, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_a_mistake_is_shown_soon(lab: Exercise, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if why := lacking(backend, lab):
        pytest.skip(why)
    heard, wrong = tmp_path / "heard", []

    def until_waiting(times: int) -> None:
        eventually(lambda: heard.read_text().count("Waiting for a save") > times, within=FIRST_SECONDS,
                   what=f"verdict {times + 1}")  # fmt: skip

    def judged(step: int, outcome: str, since: int) -> bool:
        return bool(re.search(rf"^Step {step} .*\n  {outcome}, ", heard.read_text()[since:], re.MULTILINE))

    with watching(lab, heard):
        until_waiting(0)
        for step in range(1, len(lab.steps) + 1):
            piece, text = next((piece, text) for piece in lab.pieces if (text := spoiled(piece, step)))
            before, began = len(heard.read_text()), time.monotonic()
            piece.file.write_text(text)
            until_waiting(2 * step - 1)
            seconds = time.monotonic() - began
            if not judged(step, "FAIL", before):
                wrong.append(f"step {step}: the mistake was not found")
            if seconds > SECONDS * slow():
                wrong.append(f"step {step}: the verdict came after {seconds:.1f} s")
            before = len(heard.read_text())
            piece.file.write_bytes(piece.source.read_bytes())
            until_waiting(2 * step)
            if not judged(step, "PASS", before):
                wrong.append(f"step {step}: it did not pass once it was right again")
            with capsys.disabled():
                print(f"\n{lab.number} step {step}: {seconds:.1f} s, load {os.getloadavg()[0]:.1f}", end=" ")
    # All steps are tried before this fails, because a run takes long.
    assert wrong == [], heard.read_text()
