"""Step 5: the learner's queries, texts in a program beside the system."""

import json
from typing import Any

from grading.learner_process import beside

from lab.course.exercise import Exercise

MODULE = "civildiy.operations.objectives"
PROGRAM = """
import json
from civildiy.operations import objectives
from civildiy.operations.objectives import BURNS, OBJECTIVES, recorded

windows = ["30s", "2m", "10m"]
say(json.dumps(SAID))
"""
SHARES = "{w: [objectives.slow_or_failed_reads(w), objectives.failed_requests(w)] for w in windows}"
ALERTS = """[{
    "slo": o.name, "target": o.target, "text": o.text, "unit": o.unit, "long": b.long, "short": b.short,
    "rate": b.rate, "severity": b.severity,
    "query": objectives.burn_alert(o, b), "rule": objectives.alert(o, b),
} for o in OBJECTIVES for b in BURNS]"""
RULES = "objectives.rules()"


def said(lab: Exercise, what: str) -> Any:
    """Return what the expression `what` is in the program, as JSON."""
    with beside(lab, "feed", PROGRAM.replace("SAID", what), only=(MODULE,)) as module:
        return json.loads(module.hear("your functions to return queries", within=20))
