"""The engine's events about processes that the kernel has killed in a container for lack of memory."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from compose import step


class MemoryKills:
    """The engine's own report of each container in which the kernel ended something for lack of memory."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def watched(self, environment: Mapping[str, str], project: str) -> Iterator[None]:
        """Listen until the end, because a container that is created again has no record of it."""
        # --since: the engine may accept this request later than the next one, and reports what it missed.
        words = ["docker", "events", "--filter", "event=oom", "--format", "{{json .Actor.Attributes}}",
                 "--since", str(int(time.time())),
                 "--filter", f"label=com.docker.compose.project={project}"]  # fmt: skip
        with step.started(words, environment) as child:

            def read() -> None:
                for line in child.stdout or ():
                    with suppress(ValueError):
                        self.seen.append(json.loads(line)["com.docker.compose.service"])

            thread = threading.Thread(target=read, daemon=True)
            thread.start()
            yield
