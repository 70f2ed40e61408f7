"""Install the servers while ./lab still fills `.venv`: `python -m lab.install`.

It uses only the standard library. It does nothing where Docker Compose will run the system. With `--with
MODULE…` it builds these Go modules instead, slowly and for itself: `lab.install.optional` starts it so.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

from lab.backends.compose import engine
from lab.errors import LabError
from lab.home import Home
from lab.install.pins import pins
from lab.install.report import Lines
from lab.install.servers import Installer, ensure_servers


def native_is_chosen() -> bool:
    """Return whether `./lab up` will run the servers as processes; `lab.backends.choice` decides likewise."""
    backend = os.environ.get("LAB_BACKEND", "")
    return backend == "native" or (not backend and not engine.answers())


def interrupt(*_: object) -> None:
    """End as after Ctrl-C. SIGINT itself would not work: a shell lets its background jobs ignore it."""
    raise KeyboardInterrupt


def end_with_parent() -> None:
    """Let Linux send SIGTERM to this process when ./lab is killed, so that no compiler keeps running."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def main(modules: Sequence[str]) -> None:
    """Install missing servers, or build these modules. Exits with the reason when that fails."""
    # ./lab ends this process with SIGTERM, and then compilers and downloads must end, too.
    signal.signal(signal.SIGTERM, interrupt)
    try:
        if modules:
            os.nice(10)
            Installer(Home.from_environment(), pins()).build(modules, Lines())
            return
        end_with_parent()
        if native_is_chosen():
            ensure_servers(Home.from_environment(), Lines())
    except LabError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The servers could not be installed: {error}. Check the disk, then run ./lab up again.")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[2:] if sys.argv[1:2] == ["--with"] else ())
