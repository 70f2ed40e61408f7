"""A process that runs for long does not collect the objects of its start again and again."""

import subprocess
import sys

from lab.home import PLATFORM

SETTLED = """
import gc
from civildiy.chassis.collector import settle
before = [[] for _ in range(1000)]
settle()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
assert not any(one is before[0] for one in gc.get_objects())
loop = []; loop.append(loop); del loop
assert gc.collect() >= 1, "what is made after the start must still be collected"
"""


def test_objects_of_the_start_are_frozen_and_later_ones_collected() -> None:
    """In a process of its own, because frozen objects stay so."""
    subprocess.run([sys.executable, "-c", SETTLED], env={"PYTHONPATH": str(PLATFORM)}, check=True)
