"""After the checks have ended, ./lab verify does not judge what they put on the topic and into the view."""

import pytest
from support import backend, home

from lab.commands.operations import Ran, run_tool
from lab.course.exercise import Exercise, exercises
from lab.course.grading import grade
from lab.probes.readiness import slow

SECONDS = 60
LABS = [lab for lab in exercises() if lab.number in ("06", "07", "08")]
"""The checks of these labs write their own events, also late, doubled and broken ones."""


def told(tool: str) -> Ran:
    return run_tool(backend, tool, within=SECONDS * slow())


@pytest.mark.campaign
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.folder.name)
def test_verify_finds_nothing_after_a_check(lab: Exercise) -> None:
    assert told("feed-rebuild").code == 0
    graded = grade(home, lab)
    assert graded.code == 0, graded.said
    ran = told("feed-verify")
    assert (ran.code, ran.answer.get("findings")) == (0, []), ran.messages
