"""Prints a log as it comes: what a unit wrote is shown literally, control characters included."""

import subprocess

from lab.terminal import Console


def print_log(command: list[str], console: Console) -> int:
    """Run a command that prints a log until it ends or Ctrl-C; returns its exit code."""
    # An engine gives back on stderr what a unit wrote there; all of it was asked for.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                console.print(raw.decode(errors="replace").rstrip("\r\n"), soft_wrap=True)
        except KeyboardInterrupt:
            process.terminate()
            return 130
    return process.returncode
