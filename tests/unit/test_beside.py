"""The program beside a check: what it leaves behind must not break a later check."""

import gc
import os
import subprocess
import sys
import time
import tracemalloc
import warnings

import pytest
from grading.learner_process import READ_SECONDS, Beside
from grading.outcome import Wrong

LEFT = """
import os, time
if os.fork() == 0:
    time.sleep(3)  # keeps the pipes of the program open
    os._exit(0)
print("ready", flush=True)
time.sleep(60)
"""


def started(program: str) -> Beside:
    """Run a program beside, without a system; the number of the pipe for its answers is its argument."""
    reads, writes = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(writes)], errors="replace", pass_fds=[writes],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writes)
    return Beside(process, os.fdopen(reads))


@pytest.mark.parametrize("program", [LEFT, "import time; time.sleep(60)"])
def test_no_pipe_is_left_to_the_garbage_collector(program: str) -> None:
    beside = started(program)
    time.sleep(1)
    began = time.monotonic()
    beside.close()
    assert time.monotonic() - began < 2 * READ_SECONDS + 1
    readers = beside._readers
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del beside
        gc.collect()
        for reader in readers:
            reader.join(20)
        gc.collect()
    assert [str(each.message) for each in seen if each.category is ResourceWarning] == []


SHOUT = """
import os, sys, threading, time
def shout(stream):
    for _ in range(300):
        os.write(stream, b"x" * 1_000_000)
threads = [threading.Thread(target=shout, args=(stream,)) for stream in (1, 2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("answer", "y" * 200_000, file=open(int(sys.argv[1]), "w"), flush=True)
time.sleep(60)
"""


def test_output_without_a_line_end_is_not_kept() -> None:
    """Learners' code printed gigabytes, and the process of the checks ended for lack of memory."""
    tracemalloc.start()
    beside = started(SHOUT)
    try:
        assert beside.hear("the answer", within=60) == f"answer {'y' * 200_000}"
        assert tracemalloc.get_traced_memory()[1] < 20 * 1024 * 1024
    finally:
        tracemalloc.stop()
        beside.close()


NOT_TEXT = """
import os, sys, time
os.write(2, b"\\xff" * 1_000_000)
print("answer", file=open(int(sys.argv[1]), "w"), flush=True)
time.sleep(60)
"""


def test_output_that_is_no_text_blocks_nothing() -> None:
    beside = started(NOT_TEXT)
    try:
        assert beside.hear("the answer", within=60) == "answer"
    finally:
        beside.close()


OTHER_TYPE = """
import json
def answer():
    yield 1
json.dumps(answer())
"""


def test_a_result_of_another_type_is_named() -> None:
    beside = started(OTHER_TYPE)
    try:
        with pytest.raises(Wrong) as caught:
            beside.hear("the answer", within=20)
    finally:
        beside.close()
    assert caught.value.saw == "an object of the type generator"
    assert "`yield` makes a function return a generator" in caught.value.means


@pytest.mark.parametrize(
    ("keeps", "ends"),
    [("", True), ("daemon=True", True), ("daemon=False", False), ("atexit", False)],
)
def test_a_program_ends_when_nothing_keeps_it(keeps: str, ends: bool) -> None:
    """A thread that is no daemon and a function that `atexit` calls keep a program whose code is done."""
    wait = "import atexit, threading, time\n"
    if keeps == "atexit":
        wait += "atexit.register(time.sleep, 60)"
    elif keeps:
        wait += f"threading.Thread(target=time.sleep, args=(60,), {keeps}).start()"
    beside = started(wait)
    try:
        if ends:
            beside.end("its end", within=10, means="It must end.")
        else:
            with pytest.raises(Wrong, match="still runs"):
                beside.end("its end", within=1, means="It must end.")
    finally:
        beside.close()
