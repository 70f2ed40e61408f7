"""Log lines of all services: time in UTC, level, module, message."""

import logging
import time


def configure_logging(level: str) -> None:
    """Send all logs to stderr; the supervisor keeps them."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s")
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Clients that speak at INFO for each request or heartbeat.
    # kafka-python reports each refused connection as an error; ours say once what is away.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    # Why a member was put out of its group is said nowhere else.
    logging.getLogger("kafka.coordinator").setLevel(logging.ERROR)
    for noisy in ("httpx", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
