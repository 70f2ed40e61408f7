"""`python -m lab.install`: installs the servers while ./lab still fills `.venv`.

Standard library only. It does nothing where Docker Compose will run the system.
"""

import ctypes
import os
import signal
import sys

from lab.backends.compose import engine
from lab.errors import LabError
from lab.home import Home
from lab.install.report import Lines
from lab.install.servers import ensure_servers


def native_is_chosen() -> bool:
    """Whether `./lab up` will run servers of this machine (`lab.backends.choice` decides the same way)."""
    wanted = os.environ.get("LAB_BACKEND", "")
    return wanted == "native" or (not wanted and not engine.answers())


def interrupt(*_: object) -> None:
    """End as Ctrl-C does. SIGINT itself would not do: a shell lets its background jobs ignore it."""
    raise KeyboardInterrupt


def end_with_parent() -> None:
    """Let Linux send SIGTERM when ./lab is killed, so that nothing is compiled unseen."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def main() -> None:
    """Install what is missing. Exits with the reason when that fails."""
    # ./lab ends this process with SIGTERM; compilers and downloads have to end with it.
    signal.signal(signal.SIGTERM, interrupt)
    end_with_parent()
    try:
        if native_is_chosen():
            ensure_servers(Home.from_environment(), Lines())
    except LabError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The servers could not be installed: {error}. Check the disk, then run ./lab up again.")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
