"""A projector that pauses itself at the worst moment: python zombie.py FILE

When FILE exists, it stops (SIGSTOP) after it has applied a batch and before it has stored the offset. The
test continues it later (SIGCONT). It is a zombie then: it still believes that it owns its partitions.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from civildiy.feed.projector import main as projector
from civildiy.feed.projector.note import Noted


def pausing(trigger: Path) -> None:
    """Let the next offset that is to be stored wait for SIGCONT."""
    real = Noted._note

    def note(self: Noted, *words: Any, **counts: Any) -> None:
        if trigger.exists():
            trigger.unlink()
            print("paused", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
            print("continued", flush=True)
        real(self, *words, **counts)

    Noted._note = note  # type: ignore[method-assign]


if __name__ == "__main__":
    pausing(Path(sys.argv[1]))
    projector.main()
