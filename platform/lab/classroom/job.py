"""A job for a cell, and its result: two JSON files in the folder that the cell shares with the outside."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JOB, RESULT, LOG = "job.json", "result.json", "cell.log"
CONFINED_USER = 61_183
"""The user id of a learner's code in a cell; systemd reserves the ids from 61184 on for such uses."""
MEMORY_BYTES = 1024**3
FILE_BYTES = 64 * 1024**2
LARGEST_RESULT = 4 * 1024**2


@dataclass(frozen=True)
class Job:
    """What a cell does: make the reference (without a `lab`), or judge the files in the folder labs."""

    lab: str = ""
    steps: tuple[int, ...] = ()
    seed: int = 0
    seconds: float = 600
    """When they are over, the checks end, and those that have not run count as failed."""
    reference: str = ""
    processes: int = 256
    disk_mb: int = 1500
    hide: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    second_user: bool = False
    """Without root: learners' code runs as a second user, by subordinate ids. Root can always do that."""

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Job":
        """Return the job that `write` has written."""
        return cls(
            **{
                **found,
                "steps": tuple(found["steps"]),
                "hide": tuple(found["hide"]),
                "cgroups": tuple(found["cgroups"]),
            }
        )

    def write(self, out: Path) -> None:
        """Write the job into the folder of the cell."""
        (out / JOB).write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass
class Result:
    """What a cell found. `trouble` is a sentence when the system itself was not as it should be.

    `timed_out` and `too_large` tell that the submission used more time or memory than its limits allow.
    """

    trouble: str = ""
    timed_out: bool = False
    too_large: bool = False
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    said: str = ""

    def write(self, out: Path) -> None:
        """Replace the result in the folder of the cell."""
        new = out / f"{RESULT}.new"
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(out / RESULT)

    @classmethod
    def read(cls, out: Path) -> "Result | None":
        """Return the result; None when there is none, or none that a cell can have written."""
        file = out / RESULT
        try:
            if file.is_symlink() or file.stat().st_size > LARGEST_RESULT:
                return None
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
