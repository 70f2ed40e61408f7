"""Run one process of the system: `python -m civildiy profile`, `python -m civildiy posts-relay`.

This is the one place where a learner's code comes in: before anything else is imported.
"""

import importlib
import sys

from civildiy.learner.run import prepare, reported

SERVICES = ("auth", "profile", "posts", "feed")
WORKERS = {
    "provision": "civildiy.provision.run",
    "posts-relay": "civildiy.posts.relay",
    "feed-projector": "civildiy.feed.projector",
}


def main(unit: str) -> None:
    """Serve or work until SIGTERM."""
    prepare(blocked_ends=unit in SERVICES)
    with reported():
        if unit in SERVICES:
            importlib.import_module("civildiy.chassis.serve").main(unit)
        else:
            importlib.import_module(WORKERS[unit]).main()


if __name__ == "__main__":
    units = [*SERVICES, *WORKERS]
    if len(sys.argv) != 2 or sys.argv[1] not in units:
        sys.exit(f"usage: python -m civildiy {{{','.join(units)}}}")
    main(sys.argv[1])
