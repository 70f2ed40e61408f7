"""The four outcomes and how a check fails: the names that authors of checks use.

They are defined in `lab.course.outcome`, because ./lab prints verdicts and must not import the checks.
"""

from lab.course.outcome import (
    EXIT_CODES,
    NotGradable,
    Outcome,
    Verdict,
    Wrong,
    as_text,
    from_dict,
    overall,
    printable,
    require,
    wrong,
)

__all__ = [
    "EXIT_CODES", "NotGradable", "Outcome", "Verdict", "Wrong", "as_text", "from_dict", "overall",
    "printable", "require", "wrong",
]  # fmt: skip
