"""Load while a hidden fault is active: `python -m lab.storm.hidden_load SECONDS` writes posts and reads."""

import sys
import time
from threading import Event

from lab.backends.choice import chosen
from lab.faults.hidden import current
from lab.home import Home
from lab.storm.client import Caller
from lab.storm.people import Account, Paced

WRITES_A_SECOND, READS_A_SECOND = 2.0, 5.0
LOOK_SECONDS = 1.0
FEED = "/api/activity-stream?limit=20"


class _Writer(Paced):
    def __init__(self, gateway: str, token: str, over: Event) -> None:
        super().__init__(WRITES_A_SECOND, over)
        self._caller = Caller(gateway, token)
        self.callers = [self._caller]

    def turn(self) -> None:
        self._caller.call("POST", "/api/posts", {"title": "hidden fault", "content": "find me"})


class _Reader(Paced):
    def __init__(self, gateway: str, over: Event) -> None:
        super().__init__(READS_A_SECOND, over)
        self._caller = Caller(gateway)
        self.callers = [self._caller]

    def turn(self) -> None:
        self._caller.call("GET", FEED)


def main() -> None:
    """Send requests for the given seconds, or until the hidden fault has been healed."""
    home = Home.from_environment()
    gateway = chosen(home).endpoints()["gateway"]
    over, deadline, begun = Event(), time.monotonic() + float(sys.argv[1]), False
    threads: list[Paced] = [_Writer(gateway, Account(gateway).token, over), _Reader(gateway, over)]
    for thread in threads:
        thread.start()
    while time.monotonic() < deadline:
        active = (there := current(home)) is not None and there.active
        if begun and not active:
            break
        begun = begun or active
        time.sleep(LOOK_SECONDS)
    over.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
