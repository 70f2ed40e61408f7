"""Replace the learner's files by the platform's modules, or by fresh starters, for a while.

The outputs of the reference copies need this. The learner's own files and progress are restored
afterwards. A copy of each file is kept in the home, because this process may be killed meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from lab.backends.protocol import Backend
from lab.course import running
from lab.course.exercise import Exercise
from lab.course.starter import starter
from lab.home import Home


@contextmanager
def instead(home: Home, backend: Backend, lab: Exercise, *, solved: bool) -> Iterator[None]:
    """Give the lab's files the solution, or the starter, during the block; restore them afterwards."""
    kept = {piece.file: piece.file.read_bytes() for piece in lab.pieces if piece.file.exists()}
    record = home.root / "progress.json"
    progress = record.read_bytes() if record.exists() else None
    for piece in lab.pieces:
        text = piece.source.read_text(encoding="utf-8") if solved else starter(lab, piece)
        if piece.file in kept and kept[piece.file] not in (text.encode(), starter(lab, piece).encode()):
            running.keep_copy(home, piece.file)
        piece.file.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        for piece in lab.pieces:
            if piece.file in kept:
                piece.file.write_bytes(kept[piece.file])
            else:
                piece.file.unlink(missing_ok=True)
        if progress is None:
            record.unlink(missing_ok=True)
        else:
            record.write_bytes(progress)
        if running.is_active(home, lab):
            running.use(home, backend, lab, None)
