"""The resources that docker-compose.yml lets the containers use."""

import yaml

from lab.home import REPO

ENDED = ("provision",)
"""Units that have finished when the system is up."""


def memory_limit() -> int:
    """Return the sum of all memory limits in MiB."""
    services = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
    limits = [service["mem_limit"] for name, service in services.items() if name not in ENDED]
    return sum(int(limit.removesuffix("m")) for limit in limits)
