"""Read a class from a shared folder: files that `./lab class join FOLDER` writes, and homes of learners.

Two kinds of entries count: NAME.json with a shared snapshot, and a folder NAME/ with a progress.json, which
is the LAB_HOME of one learner on a machine that many use. Nothing in the folder can stop the overview: links,
pipes, large files and damaged ones are left out.
"""

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.classroom.board import MOST_PEOPLE, Board
from lab.classroom.snapshot import MOST_BYTES, Snapshot, cleaned, name_of, of_files

MOST_ENTRIES = 2000
MOST_HOME_BYTES = 4 * 1024 * 1024
"""A home's progress.json has all verdicts with their texts."""


class Folder:
    """A shared folder, and what was known of it before, so that the times of passes are kept."""

    def __init__(self, path: Path, most: int = MOST_PEOPLE) -> None:
        self.path, self._board = path, Board(most)
        self._read_at = 0.0

    def board(self) -> Board:
        """Return the class as the folder shows it now. The folder is read at most once a second."""
        now = time.time()
        if now - self._read_at >= 1:
            self._read_at = now
            self._update(now)
        return self._board

    def _update(self, now: float) -> None:
        found = {key: (name, snapshot, moment) for key, name, snapshot, moment in _entries(self.path)}
        for gone in self._board.people.keys() - found.keys():
            del self._board.people[gone]
        for key, (name, snapshot, moment) in found.items():
            # At the first sight, the time of the file is closer to the pass than the present.
            at = now if key in self._board.people else min(now, moment)
            known = self._board.people.get(key)
            if known is None and not self._board.add(key, name, at):
                continue
            if known is None or known.snapshot != snapshot:
                self._board.put(key, snapshot, at)


def _entries(folder: Path) -> Iterator[tuple[str, str, Snapshot, float]]:
    """Yield key, name, snapshot and time of the last change of each person."""
    try:
        names = sorted(os.listdir(folder))[:MOST_ENTRIES]  # noqa: PTH208 - names only, without a stat for each
    except OSError:
        return
    for name in names:
        file = folder / name
        if name.endswith(".json"):
            data, moment = _json(file, MOST_BYTES)
            if not isinstance(data, dict) or "snapshot" not in data:
                continue
            try:
                yield name, name_of(str(data.get("name", ""))), cleaned(data["snapshot"]), moment
            except ValueError:
                continue
        elif not name.startswith("."):
            progress, moment = _json(file / "progress.json", MOST_HOME_BYTES)
            predictions, _ = _json(file / "predictions.json", MOST_BYTES)
            if isinstance(progress, dict) or isinstance(predictions, dict):
                yield name, name_of(name), of_files(progress, predictions, file), moment or time.time()


def _json(file: Path, most: int) -> tuple[Any, float]:
    """Return the content of a regular file and its time; (None, 0) for everything else."""
    try:
        # O_NONBLOCK: a pipe without a writer would make the overview wait for ever.
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as content:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode) or about.st_size > most:
                return None, 0.0
            return json.loads(content.read(most)), about.st_mtime
    except (OSError, ValueError, RecursionError):
        return None, 0.0
