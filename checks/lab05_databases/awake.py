"""Whether the learner's code puts the event loop to sleep: how a program notes it, and the rule."""

from collections.abc import Sequence

from grading.outcome import require

ASLEEP = """
import asyncio, threading, time

asleep = []

def noted(real, waits):
    # The loop answers no request until this call returns, if it is made on the loop's own thread.
    def call(*words, **more):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return real(*words, **more)
        began = time.monotonic()
        try:
            return real(*words, **more)
        finally:
            if waits(words, more):
                asleep.append(time.monotonic() - began)
    return call

time.sleep = noted(time.sleep, lambda words, more: True)
# Without a time limit it is what `threading` itself uses to start a thread.
threading.Event.wait = noted(threading.Event.wait, lambda words, more: len(words) > 1 or more)
"""
"""Goes before the import of the learner's module, which may take `sleep` out of `time`."""


def stayed_awake(asleep: Sequence[float], did: str, where: str) -> None:
    """Require that nothing slept on the thread of the event loop."""
    require(
        not asleep,
        f"{did}, and counted the calls of time.sleep()",
        expected="no such call: the whole service runs on one event loop",
        saw=f"{len(asleep)} calls, {sum(asleep):.2f} s together",
        means="While `time.sleep` waits, the service answers no request at all. Try again at once, or use"
        f" `await asyncio.sleep(…)`. Look at {where}.",
    )
