"""Keep the learner's results in a file. Nothing depends on it: a check can produce them again at any time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.home import Home

KINDS: dict[str, type | tuple[type, ...]] = {
    "outcome": str, "first": str, "when": str, "points": int, "of": int, "seed": int, "mine": bool,
    "passed_once": bool, "hints": (int, dict), "verdicts": list, "steps": dict,
}  # fmt: skip
IN_A_VERDICT: dict[str, type | tuple[type, ...]] = {
    "check": str, "title": str, "lab": str, "outcome": str, "points": int, "seconds": (int, float),
    "lines": list,
}  # fmt: skip


class Record:
    """The file `progress.json` in the lab's home. Only the list of results is lost when it is deleted.

    `remark` is a message for the learner about a damaged file; '' for an intact one.
    """

    def __init__(self, home: Home) -> None:
        self._file = home.root / "progress.json"
        self._data, self.remark = self._read()

    def _read(self) -> tuple[dict[str, dict[str, Any]], str]:
        """Return the entries that are intact, and a message when others are damaged."""
        kept: dict[str, dict[str, Any]] = {}
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}, ""
        except OSError as error:
            why = error.strerror or type(error).__name__
        except (ValueError, RecursionError):
            why = "it is not JSON"
        else:
            why = "a part of it was not written by a check"
            if isinstance(found, dict):
                kept = {number: lab for number, lab in found.items() if _good(lab)}
                why = "" if kept == found else why
        lost = (
            f"{self._file} cannot be read: {why}.\n"
            "Only the list of results is lost. Each check writes its result again."
        )
        return kept, lost if why else ""

    def of(self, number: str) -> dict[str, Any]:
        """Return what is known about one lab; {} before the first check."""
        return self._data.get(number, {})

    def note(self, number: str, **facts: Any) -> None:
        """Add facts about one lab to the file."""
        with self._alone():
            self._data, lost = self._read()  # another ./lab may have written meanwhile
            if lost:
                self._file.replace(self._file.with_suffix(".unreadable"))
            self._data.setdefault(number, {}).update(facts)
            new = self._file.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(self._data, indent=1), encoding="utf-8")
            new.replace(self._file)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock, so that two ./lab commands write one after the other."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _good(lab: object) -> bool:
    """Tell whether `note` can have written this entry."""
    if not isinstance(lab, dict) or not _fits(lab, KINDS) or ("of" in lab) != ("points" in lab):
        return False
    if not all(step.isdecimal() and isinstance(said, str) for step, said in lab.get("steps", {}).items()):
        return False
    return all(isinstance(v, dict) and IN_A_VERDICT.keys() <= v.keys() and _fits(v, IN_A_VERDICT) and all(
        isinstance(line, list) and len(line) == 2 and all(isinstance(word, str) for word in line)
        for line in v["lines"]) for v in lab.get("verdicts", []))  # fmt: skip


def _fits(found: dict[str, Any], kinds: dict[str, type | tuple[type, ...]]) -> bool:
    return all(isinstance(found[name], kind) for name, kind in kinds.items() if name in found)
