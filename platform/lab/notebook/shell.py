"""Give a notebook's kernel the magic %lab, and show errors as one sentence.

%lab status              any command of ./lab
verdict = %lab check 07  shows the verdict by step as a table, and returns it
"""

import shlex
from itertools import pairwise
from types import TracebackType
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from lab.course.outcome import NotGradable, Wrong
from lab.errors import LabError
from lab.home import Home
from lab.jupyter import widgets
from lab.notebook import command
from lab.notebook.panel import Panel
from lab.notebook.verdict import Verdict
from lab.probes.unavailable import UNAVAILABLE
from lab.text import shortened, visible

AGAIN = "Repeat with the same users and data"
"""The beginning of the line with the command that repeats a check."""
WITH_A_VALUE = ("--step", "--seed")
"""The options of `./lab check` that the next word belongs to."""


def sentence(error: BaseException) -> str:
    """Return a sentence about an error that tells what to do, without a traceback."""
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
    """Run a command of ./lab, and show each line that it prints at once."""
    try:
        words = shlex.split(line)
    except ValueError as error:  # a quotation mark without its partner
        raise LabError(f"%lab {shortened(line)} cannot be read: {error}. Quote it as in a shell.") from None
    if words[:1] == ["check"] and len(words) > 1 and "--watch" not in words:
        return _check(words)
    code = command.run(words, lambda said: print(said, end="", flush=True))
    if code:
        raise LabError(f"./lab {line} ended with exit code {code}. The lines above tell why.")
    if words[:1] == ["start"] and widgets.drawn():
        display(Panel(words[1]))  # type: ignore[no-untyped-call]
    return None


def _check(words: list[str]) -> Verdict | None:
    """Judge a lab and show the verdict by step; without a verdict, show what the command printed."""
    lines: list[str] = []

    def told(line: str) -> None:
        if line.startswith("checking "):  # the check takes some seconds
            print(line, end="", flush=True)
        else:
            lines.append(line)

    code = command.run(words, told)
    verdict = Verdict.last(Home.from_environment(), _lab_in(words), code)
    if verdict is None:
        print("".join(lines), end="")
        return None
    print(*(line for line in lines if line.startswith(AGAIN)), sep="", end="")
    display(verdict.table)  # type: ignore[no-untyped-call]
    return verdict


def _lab_in(words: list[str]) -> str:
    """Return the lab that a `check` names, wherever its options stand.

    >>> _lab_in(["check", "--step", "2", "01"])
    '01'
    """
    found = (
        word for before, word in pairwise(words) if before not in WITH_A_VALUE and not word.startswith("-")
    )
    return next(found, words[1])


def attach() -> None:
    """Add the magic and the handler for errors to the kernel. Without a kernel, do nothing."""
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
        message = sentence(error)
        shell._showtraceback(kind, message, [message])
        return [message]

    shell.register_magic_function(lab, "line", "lab")
    shell.set_custom_exc((LabError, Wrong, NotGradable, *UNAVAILABLE), show)
