"""`check --watch` misses no save, and Ctrl-C ends a check with time to clean up, twice at once."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.backends.choice import chosen
from lab.children import run_to_its_end
from lab.course.checking import Checking
from lab.course.exercise import Exercise, exercise
from lab.course.record import Record
from lab.course.saves import Saves
from lab.home import Home
from lab.terminal import Console

CLEANS = """
import signal, sys, time
try:
    print("begun", file=open(sys.argv[1], "w"), flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(float(sys.argv[2]))
    print("clean", flush=True)
"""


class Saving(Checking):
    """The user saves a file during the first check, and stops the second one."""

    runs: list[tuple[str, bool]]

    def once(
        self, lab: Exercise, options: tuple[str, ...] = (), seed: int | None = None, *,
        only: Iterable[int] = (), quick: bool = False,
    ) -> int:  # fmt: skip
        file = lab.pieces[0].file
        self.runs.append((file.read_text(), quick))
        if len(self.runs) == 2:
            raise KeyboardInterrupt
        file.write_text("second")
        return 1


def test_a_save_during_a_check_is_graded_next(tmp_path: Path) -> None:
    file = tmp_path / "api.py"
    file.write_text("first")
    lab = exercise("01")
    mine = replace(lab, pieces=(replace(lab.pieces[0], file=file),))
    home = Home(tmp_path)
    with (tmp_path / "said").open("w") as out:
        checking = Saving(home, chosen(home), Console(file=out), Record(home))
        checking.runs = []
        assert checking.watch(mine) == 1
    assert checking.runs == [("first", False), ("second", True)]
    assert "You saved a file during the checks, so they run again." in (tmp_path / "said").read_text()


def test_what_changed_is_judged_first(tmp_path: Path) -> None:
    """Then what builds on it; a comment changes no step."""
    lab = exercise("08")
    pieces = tuple(replace(piece, file=tmp_path / piece.file.name) for piece in lab.pieces)
    mine = replace(lab, pieces=pieces, needs={2: (1,)})
    files = {piece.file.name: piece.file for piece in pieces}
    for piece in pieces:
        piece.file.write_bytes(piece.source.read_bytes())
    saves = Saves(Home(tmp_path), mine)
    saves.take()
    assert not saves.happened()

    def save(name: str, old: str, new: str) -> tuple[tuple[int, ...], ...]:
        text = files[name].read_text()
        assert old in text
        files[name].write_text(text.replace(old, new, 1))
        assert saves.happened()
        return saves.take()

    assert save("queries.py", "    last = ", "    _ = 0\n    last = ") == ((1,), (2,))
    assert save("verify.py", "def out_of_order(", "# a comment\ndef out_of_order(") == ((),)
    assert save("verify.py", "raw) != post.digest", "raw) == post.digest") == ((5,),)
    assert save("lag.py", "import time", "import time (") == ((2,),)
    assert saves.take((1,)) == ((1,),)


@pytest.mark.parametrize(("presses", "cleaning"), [(1, 0.2), (2, 30.0)])
def test_ctrl_c(tmp_path: Path, presses: int, cleaning: float) -> None:
    begun, told = tmp_path / "begun", threading.Event()

    def press() -> None:
        while not begun.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(presses - 1):
            told.wait(20)
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

    hand = threading.Thread(target=press)
    hand.start()
    began = time.monotonic()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_to_its_end(
                [sys.executable, "-c", CLEANS, str(begun), str(cleaning)],
                tmp_path,
                kept=True,
                interrupted=told.set,
            )
    finally:
        signal.signal(signal.SIGINT, handler)
        hand.join()
    assert told.is_set()
    assert time.monotonic() - began < 25
