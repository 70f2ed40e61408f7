"""Every shown command exists with its options, and a test runs or proves it, or gives a reason."""

import ast

import click
import pytest
from contents import listed
from proofs import CHECKS, EXEMPT, PROVEN, Unknown, is_run, proof
from shown import Shown, commands_in, shown

from lab.cli import cli
from lab.home import REPO
from lab.tenant import taken_out

COMMANDS = shown()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.is_lab], ids=lambda command: command.text)
def test_exists(command: Shown) -> None:
    words, _ = taken_out(command.words)
    if not words:
        return
    name, given = words[0], words[1:]
    assert name in cli.commands, f"{command.file} shows `{command.text}`, and there is no such command"
    # The decisions speak of commands; everybody else shows them for typing.
    spoken_of = command.file.startswith("docs/decisions/") and not given
    parsed = cli.commands[name].make_context(name, list(given), resilient_parsing=spoken_of)
    assert isinstance(parsed, click.Context)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text[:60])
def test_is_run_or_proven_or_exempt(command: Shown) -> None:
    assert is_run(command) or proof(command)


@pytest.mark.parametrize("proof", sorted(set(PROVEN.values())))
def test_proofs_exist(proof: str) -> None:
    file, _, name = proof.partition("::")
    tree = ast.parse((REPO / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("command", [c for c in COMMANDS if CHECKS.match(c.text)], ids=lambda c: c.text)
def test_checks_that_are_shown_exist(command: Shown) -> None:
    shown_check = CHECKS.fullmatch(command.text)
    assert shown_check
    assert [name for name in listed(REPO / shown_check[1]) if shown_check[2] in name]


def test_nothing_is_said_of_commands_that_nobody_shows() -> None:
    texts = [" ".join(command.text.split()) for command in COMMANDS]
    assert [start for start in PROVEN | EXEMPT if not any(text.startswith(start) for text in texts)] == []


def test_commands_are_found_whatever_their_program() -> None:
    text = """
Type `openssl rand -hex 8` or `./lab frobnicate`; `row.city` is none, and `limit=20` neither.
```
frobnicate --now  # whatever it is
for name in a b; do
  echo "$name"; done
```
```
 a ──▶ picture
```
```python
verdict = %lab check 01
print("no command")
```
"""
    found = list(commands_in(text))
    assert found == [
        "frobnicate --now", 'for name in a b; do\n  echo "$name"; done', "%lab check 01",
        "openssl rand -hex 8", "./lab frobnicate",
    ]  # fmt: skip
    assert is_run(Shown("frobnicate --now", "x.md"))
    new = Shown("./lab frobnicate", "x.md")
    assert not is_run(new)
    with pytest.raises(Unknown, match="name its test"):
        proof(new)
