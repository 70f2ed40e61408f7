"""Run one process of the system: `python -m civildiy profile`, `python -m civildiy posts-relay`.

A unit's name says where its program is, so a new one needs no line here: the service `profile` is the folder
profile/ with api.py and app.py, and the worker `posts-relay` is posts/relay/main.py.

Only this module puts a learner's code in place, before anything else is imported.
"""

import importlib
import os
import signal
import sys
from pathlib import Path

from civildiy.course_runtime import crash_points
from civildiy.course_runtime.run import prepare, reported

HERE = Path(__file__).parent
SERVICES = tuple(sorted(file.parent.name for file in HERE.glob("*/api.py")))
WORKERS = {
    f"{file.parts[-3]}-{file.parts[-2]}": f"civildiy.{file.parts[-3]}.{file.parts[-2]}.main"
    for file in sorted(HERE.glob("*/*/main.py"))
}
TASKS = {"provision": "civildiy.provision.run"}
TOOLS = ("feed-verify", "feed-rebuild", "feed-redrive", "feed-costs", "topic-grow")
"""Short-lived and started by hand: `./lab verify`, `rebuild` and others run them with `feed-tool.env`."""


def main(unit: str) -> None:
    """Serve or work until SIGTERM; a tool ends by itself."""
    # The first process of a container ignores a signal without a handler; ours are set after the imports.
    leave = os._exit
    signal.signal(signal.SIGTERM, lambda *_: leave(128 + signal.SIGTERM))
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # redis-py imports OpenTelemetry's SDK where it is installed: 2 MB in each process that records
        # nothing.
        sys.modules["opentelemetry.sdk"] = None  # type: ignore[assignment]
    tool = unit in TOOLS
    prepare("feed" if tool else unit, blocked_ends=unit in SERVICES, stays=not tool)
    with reported():
        crash_points.arm()
        if unit in SERVICES:
            importlib.import_module("civildiy.chassis.serve").main(unit)
        elif unit in TOOLS:
            sys.exit(importlib.import_module("civildiy.operations.main").main(unit, sys.argv[2:]))
        else:
            importlib.import_module((WORKERS | TASKS)[unit]).main()


if __name__ == "__main__":
    units = [*SERVICES, *WORKERS, *TASKS, *TOOLS]
    known = sys.argv[1:2] and sys.argv[1] in units
    if not known or (len(sys.argv) > 2 and sys.argv[1] not in TOOLS):
        sys.exit(f"usage: python -m civildiy {{{','.join(units)}}}")
    main(sys.argv[1])
