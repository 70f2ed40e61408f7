"""Compose's commands end in time, whatever they print."""

import os
import sys

from lab.backends.compose import process

CHATTY = "for n in range(40_000): print(f'abc123 Downloading {n}')"


def test_a_command_that_says_much_ends() -> None:
    """The command prints more than a pipe can hold, as when images are fetched."""
    seen: list[str] = []
    later = f"{CHATTY}\nimport time; time.sleep(1.5)"
    done = process.run([sys.executable, "-uc", later], os.environ, 60, seen.append)
    assert done.well
    assert seen[-1] == "abc123 Downloading 39999"
    assert done.last(1) == "  abc123 Downloading 39999"


def test_a_command_that_does_not_end_is_ended() -> None:
    assert process.run([sys.executable, "-c", "input()"], {}, 30).code == 1  # without any input
    done = process.run([sys.executable, "-uc", "print('begun'); import time; time.sleep(60)"], {}, 1.5)
    assert done.code is None
    said = process.explained(done, ["kafka"])
    assert "It took more than 2 s and was ended." in said
    assert "begun" in said
    assert "./lab logs kafka" in said
