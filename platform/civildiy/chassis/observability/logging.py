"""Log lines of all services: time in UTC, level, module, message."""

import logging
import time

from civildiy.chassis.text import shortened

LONGEST = 1000
"""Characters of one message: a driver can repeat a whole request in its error."""


class OneLine(logging.Formatter):
    """A message is one line of bounded length, whatever it repeats; a traceback keeps its lines."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, without the traceback."""
        record.message = shortened(record.message, LONGEST)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line and the traceback, in which the last lines repeat the error's text."""
        first, *rest = super().format(record).split("\n")
        return "\n".join([first, *(shortened(line, LONGEST) for line in rest)])


def configure_logging(level: str) -> None:
    """Send all logs to stderr; the supervisor keeps them."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Clients that speak at INFO for each request or heartbeat.
    # kafka-python reports each refused connection as an error; ours report once what is unreachable.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    # Nothing else reports why a member was removed from its group.
    logging.getLogger("kafka.coordinator").setLevel(logging.ERROR)
    for noisy in ("httpx", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
