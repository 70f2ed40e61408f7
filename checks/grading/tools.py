"""Run the feed's tools for a check; they use the learner's code when `feed` does."""

import json
from typing import Any

from grading import own_code
from grading.answers import LONGEST, Source, held
from grading.databases import posts_kept
from grading.outcome import NotGradable
from grading.stack import backend
from lab.course.running import Incident
from lab.deadlines import slow
from lab.probes.tools import Ran, run_tool

TOOL_SECONDS = 40.0
KINDS = ("raised", "ended")
POSTS_PER_SECOND = 200
"""The tools read all posts, and each run of the checks leaves some hundreds behind."""


class ToolFailed(Exception):
    """Raised when a tool ended without an answer; `incidents`: the errors of the learner's code in it."""

    def __init__(self, tool: str, ran: Ran) -> None:
        last = next((line for line in reversed(ran.messages) if line.strip()), "nothing")
        super().__init__(f"{tool} ended with code {ran.code}; its last line: {last}")
        self.incidents = _incidents(ran)


def tool(name: str) -> dict[str, Any]:
    """Return the answer of one tool. Raises ToolFailed, and NotGradable when a server was unavailable."""
    seconds = TOOL_SECONDS + posts_kept() / POSTS_PER_SECOND
    ran = run_tool(backend, name, within=seconds * slow())
    # The platform's module answers in place of a file that cannot be imported.
    own_code.noted.extend(_incidents(ran, ("unusable",)))
    if ran.code == 2 and not _incidents(ran):
        raise NotGradable(ran.messages[-1] if ran.messages else f"{name} failed without a message")
    if not ran.answer:
        raise ToolFailed(name, ran)
    answer: dict[str, Any] = held(ran.answer, Source(f"ran {name}", json.dumps(ran.answer)[:LONGEST], "feed"))
    return answer


def _incidents(ran: Ran, kinds: tuple[str, ...] = KINDS) -> list[Incident]:
    from civildiy.course_runtime.incidents import MARK

    found = []
    for line in ran.messages:
        _, mark, rest = line.partition(MARK)
        if mark and (entry := json.loads(rest))["kind"] in kinds:
            words = (entry[name] for name in ("kind", "file", "line", "source", "text"))
            found.append(Incident("feed", entry["time"], *words))
    return found
