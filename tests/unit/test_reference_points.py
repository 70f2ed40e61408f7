"""The executed notebooks show as many checks and points as the labs have."""

import re
from collections import Counter

from lab.classroom import graders
from lab.home import REPO


def test_the_totals_are_those_of_the_checks() -> None:
    """A new check changes what a finished solution gets; the stored outputs must follow."""
    checks: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for check in graders.listed():
        checks[check["lab"]] += 1
        points[check["lab"]] += check["points"]
    stored = {}
    for notebook in sorted((REPO / "notebooks" / "reference").glob("*.ipynb")):
        found = {*re.findall(r"PASS: (\d+) of \1 checks, (\d+) of \2 points", notebook.read_text("utf-8"))}
        if found:
            stored[notebook.stem[:2]] = found
    wanted = {lab: {(str(checks[lab]), f"{points[lab]:g}")} for lab in sorted(checks)}
    assert stored == wanted
