"""The minutes that the slides show, and those of the labs' pages, from which they are copied.

`.venv/bin/python tests/slide_minutes.py` copies them again; do it after `tests/times.py --write`.
"""

import re
from pathlib import Path

from times import RANGE, shown_of_steps, texts

from lab.course.exercise import Exercise, exercises
from lab.site.slides import SOURCES

ROW = re.compile(r"^\| (\d) (.+?) \| (\d+) \|$", re.MULTILINE)
WHOLE = re.compile(r"\d+ to \d+ minutes(?= with the lab)")


def deck(lab: Exercise) -> Path:
    """Return the file with the slides of a lab's lesson."""
    return next(SOURCES.glob(f"{lab.number}-*.md"))


def written(lab: Exercise) -> str:
    """Return the deck with the minutes of the lab's page in its table and in its first note."""
    shown, page = shown_of_steps(lab), texts(lab)[1].read_text(encoding="utf-8")
    whole = RANGE.search(page)
    text = ROW.sub(lambda row: f"| {row[1]} {row[2]} | {shown[int(row[1])]} |", deck(lab).read_text("utf-8"))
    return WHOLE.sub(whole[0] if whole else "", text)


if __name__ == "__main__":
    for each in exercises():
        deck(each).write_text(written(each), encoding="utf-8")
