"""Instructions do not rot: every command shown exists with its options, and a test runs its kind."""

import re
from functools import cache

import click
import pytest
from shown import Shown, shown

from lab.cli import cli
from lab.home import REPO

COMMANDS = [command for command in shown() if command.is_lab]
NOT_RUN = {
    "bench": "measures for minutes; a person reads its figures",
    "soak": "twenty minutes of load; a person starts it and reads its figures",
}


@cache
def run_somewhere() -> str:
    """Everything that runs commands: the tests, what CI does, and the cells of the notebooks."""
    files = [*(REPO / "tests").rglob("*.py"), REPO / ".ci" / "run"]
    files += [*(REPO / "notebooks" / "text").glob("*.md")]
    return "\n".join(
        file.read_text(encoding="utf-8") for file in files if file.name != "test_shown_commands.py"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_exists(command: Shown) -> None:
    words = command.words
    if not words:
        return
    name, given = words[0], words[1:]
    assert name in cli.commands, f"{command.file} shows `{command.text}`, and there is no such command"
    parsed = cli.commands[name].make_context(name, list(given), resilient_parsing=False)
    assert isinstance(parsed, click.Context)


@pytest.mark.parametrize("name", sorted({command.words[0] for command in COMMANDS if command.words}))
def test_is_run_by_a_test(name: str) -> None:
    if name not in NOT_RUN:
        assert re.search(rf'"{name}"|\./lab {name}\b|%lab {name}\b', run_somewhere()), (
            f"no test runs ./lab {name}"
        )


def test_reasons_are_needed() -> None:
    assert not [name for name in NOT_RUN if name in cli.commands and f'"{name}"' in run_somewhere()]
