"""Incidents of the learner's code, as lines in the unit's log that the checks can read.

One line of JSON behind a mark. Kinds: `started` (which files run, by fingerprint), `raised`,
`blocked` (held up the process), `ended` (ended it), `unusable` (cannot be imported: the platform's module
runs in its place) and `waiting` (the process waits for the next save).
"""

import linecache
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from json import dumps
from os import ftruncate, write  # as they are before the learner's code can replace them
from pathlib import Path
from time import time
from types import FrameType, TracebackType

from civildiy.course_runtime.blame import culprit

MARK = "LAB-CODE "
NOTED = "_lab_incident_noted"
LONGEST_REPORT = 1024**2
REPEAT = 10
"""After this many incidents the `started` line is written again, since tracebacks push it out of view."""


class Incidents:
    """Writes incidents of the given files to stderr, and to `report` (a file descriptor) if there is one."""

    def __init__(self, files: Mapping[str, Path], report: int | None = None) -> None:
        # A copy: the learner's code may close its own.
        self._outputs = [os.dup(sys.stderr.fileno())] + ([] if report is None else [report])
        self._started = b""
        self._count = 0
        self._files = dict(files)
        self._names = {str(file): _short(file) for file in files.values()}

    def started(self, fingerprints: Mapping[str, str]) -> None:
        """Report the files with which this process starts: module name to fingerprint."""
        self._started = _line(kind="started", files=dict(fingerprints))
        self._write(self._started)

    def waiting(self) -> None:
        """Report that the process does nothing more until a file changes."""
        self._write(_line(kind="waiting"))

    def unusable(self, file: str, error: BaseException) -> None:
        """Note that the platform's module runs in place of `file`, which raised `error` at its import."""
        if not self.raised(error, "unusable"):
            self._say("unusable", file, 0, f"{type(error).__name__}: {error}")

    def raised(self, error: BaseException, kind: str = "raised") -> bool:
        """Note an exception that passed through the learner's code; says whether it did."""
        if isinstance(error, SyntaxError) and error.filename in self._names:
            line = error.lineno or _line_of_nul(error.filename)
            self._say(kind, error.filename, line, f"{type(error).__name__}: {error.msg}")
            return True
        if (file := self._lacking(error)) and not self._place(error.__traceback__):
            self._say(kind, file, 0, f"{type(error).__name__}: {error}")
            return True
        # The same error passes through several hooks on its way out; it is one incident.
        if getattr(error, NOTED, False):
            return True
        seen: set[int] = set()
        cause: BaseException | None = error
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            if place := self._place(cause.__traceback__):
                if kind == "raised" and isinstance(cause, SystemExit):
                    kind = "ended"
                self._say(kind, *place, f"{type(cause).__name__}: {cause}")
                with suppress(AttributeError):  # a class with __slots__ keeps no note
                    setattr(error, NOTED, True)
                return True
            cause = cause.__cause__ or cause.__context__
        return False

    def beside(self, error: BaseException) -> bool:
        """Report an error that ended the process in the platform's code, which calls the learner's."""
        if not self._names or error.__traceback__ is None:
            return False
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{_short(Path(where.filename))}, line {where.lineno}: {where.line}"
        found = culprit(error.__traceback__, where.line or "", self._files)
        file, line = found or (next(iter(self._names)), 0)
        self._say("raised", file, line, f"{type(error).__name__}: {error}", place)
        return True

    def at(self, kind: str, frame: FrameType | None, text: str) -> bool:
        """Report `text` if the learner's code is on the stack of `frame`; return whether it is."""
        if inner := self.frame(frame):
            self._say(kind, inner.f_code.co_filename, inner.f_lineno, text)
        return inner is not None

    def frame(self, frame: FrameType | None) -> FrameType | None:
        """Return the innermost frame of the learner's code on a stack."""
        while frame is not None and frame.f_code.co_filename not in self._names:
            frame = frame.f_back
        return frame

    def _lacking(self, error: BaseException) -> str:
        """Return the learner's file that cannot be read or that lacks an imported name; else ''."""
        path = error.path if isinstance(error, ImportError) else None
        return path if path in self._names and path else ""

    def _place(self, tb: TracebackType | None) -> tuple[str, int] | None:
        ours = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(tb)]
        return next(((name, line) for name, line in reversed(ours) if name in self._names), None)

    def _say(self, kind: str, file: str, line: int, text: str, source: str = "") -> None:
        source = source or linecache.getline(file, line).strip()
        report = _line(kind=kind, file=self._names[file], line=line, source=source, text=text[:500])
        self._count += 1
        if self._count % REPEAT == 0:
            report = self._started + report
        self._write(report)

    def _write(self, said: bytes) -> None:
        for output in self._outputs:
            try:
                write(output, said)
            except OSError:  # the log is full of what the learner's code printed
                with suppress(OSError):
                    ftruncate(output, 0)
                    write(output, self._started + said)


def _line_of_nul(file: str) -> int:
    """Return the line of a file's first NUL, which Python's own error does not name; 0 if there is none."""
    with suppress(OSError):
        before, nul, _ = Path(file).read_bytes().partition(b"\0")
        return before.count(b"\n") + 1 if nul else 0
    return 0


def open_report(folder: str, unit: str) -> int | None:
    """Open the file in `folder` that gets the unit's lines besides its log; None if that is not possible."""
    if not folder:
        return None
    try:
        report = os.open(Path(folder) / f"{unit}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        print(f"{folder}: {error.strerror}: JupyterLab will not see what this unit runs", file=sys.stderr)
        return None
    if os.fstat(report).st_size > LONGEST_REPORT:
        os.ftruncate(report, 0)
    return report


def _short(file: Path) -> str:
    """'01-services/api.py': the folder of the lab and the file."""
    return "/".join(file.parts[-2:])


def _line(**fields: object) -> bytes:
    # One write for each line, so that threads do not mix; what the code printed last may have left
    # the cursor in the middle of a line.
    return ("\n" + MARK + dumps({"time": time(), **fields}) + "\n").encode()
