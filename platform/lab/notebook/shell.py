"""What a notebook's kernel gets: the magic %lab, and errors as one sentence.

%lab status              any command of ./lab
verdict = %lab check 07  the report as in the terminal, a table, and the verdict to keep
"""

import shlex
import subprocess
import sys
from types import TracebackType
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from lab import environment
from lab.course.outcome import NotGradable, Wrong
from lab.errors import LabError
from lab.home import REPO, Home
from lab.notebook.verdict import Verdict
from lab.probes.unavailable import AWAY
from lab.text import shortened, visible


def sentence(error: BaseException) -> str:
    """An error that a person can act on, without a traceback."""
    return visible(_sentence(error))


def _sentence(error: BaseException) -> str:
    if isinstance(error, Wrong):
        return f"I {error.did}, expected {error.expected}, and saw: {error.saw}. {error.means}"
    if isinstance(error, NotGradable):
        return f"{error}. In a terminal: ./lab status"
    if isinstance(error, LabError):
        return str(error)
    kind = type(error).__name__
    return (
        f"A part of the system does not answer ({kind}: {shortened(error, 200)}). In a terminal: ./lab status"
    )


def lab(line: str) -> Verdict | None:
    """Run a command of ./lab here; what it prints appears as it comes."""
    words = shlex.split(line)
    command = [sys.executable, "-P", "-m", "lab", *words]
    process = subprocess.Popen(
        command, cwd=REPO, env=environment.handed_on(), encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    with process.stdout:
        for said in process.stdout:
            print(said, end="", flush=True)
    code = process.wait()
    if words[:1] == ["check"] and len(words) > 1:
        verdict = Verdict.last(Home.from_environment(), words[1], code)
        if verdict:
            display(verdict.table)  # type: ignore[no-untyped-call]
        return verdict
    if code:
        raise LabError(f"./lab {line} ended with exit code {code}; what it said stands above.")
    return None


def attach() -> None:
    """Give the kernel its magic and its way to show errors; nothing outside of one."""
    shell: Any = get_ipython()
    if shell is None:
        return

    def show(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        where: TracebackType,
        tb_offset: object = None,
    ) -> list[str]:
        said = sentence(error)
        shell._showtraceback(kind, said, [said])
        return [said]

    shell.register_magic_function(lab, "line", "lab")
    shell.set_custom_exc((LabError, Wrong, NotGradable, *AWAY), show)
