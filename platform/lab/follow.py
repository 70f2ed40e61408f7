"""Print a log as it grows; control characters in it become visible."""

import subprocess

from lab.terminal import Console


def print_log(command: list[str], console: Console) -> int:
    """Run a command that prints a log, until it ends or the user presses Ctrl-C. Returns its exit code."""
    # A container engine prints on stderr what the unit wrote to stderr; the user wants both streams.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                console.print(raw.decode(errors="replace").rstrip("\r\n"), soft_wrap=True)
        except KeyboardInterrupt:
            process.terminate()
            return 130
    return process.returncode
