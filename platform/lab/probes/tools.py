"""Run one of the tools that read across services, such as `feed-verify`, and read its answer."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Timer
from typing import Any

from lab.backends.lifecycle import Lifecycle
from lab.deadlines import slow
from lab.errors import LabError

PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Ran:
    """What a tool did: exit code, JSON answer (empty when it gave none), and its lines of progress."""

    code: int
    answer: dict[str, Any]
    messages: tuple[str, ...]


def run_tool(
    backend: Lifecycle,
    tool: str,
    arguments: Sequence[str] = (),
    on_line: Callable[[str], None] = lambda line: None,
    within: float = 1800.0,
) -> Ran:
    """Run one of the feed's tools to its end; `on_line` gets each line of its progress.

    A tool that runs longer than `within` seconds is killed (code -9). Raises LabError when the system
    is down.
    """
    if not backend.running():
        raise LabError("The system is not running. Start it: ./lab up")
    patience = f"--patience={PATIENCE_SECONDS * slow():g}"
    command = backend.tool_command(tool, patience, *arguments)
    messages = []
    with tempfile.TemporaryFile() as out:
        # As bytes: a learner's code may print something that is not valid text.
        with subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            ending = Timer(within, process.kill)
            ending.start()
            try:
                for raw in process.stderr:
                    line = raw.decode(errors="replace").rstrip()
                    messages.append(line)
                    on_line(line)
            finally:
                ending.cancel()
        out.seek(0)
        answers = out.read().decode(errors="replace").strip().splitlines()
    try:
        answer = json.loads(answers[-1]) if answers else {}
    except ValueError:
        answer = {}
    return Ran(process.returncode, answer if isinstance(answer, dict) else {}, tuple(messages))
