"""Shared by the state machines that drive the platform's modules on real servers."""

from datetime import UTC, datetime

from bson import ObjectId
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from civildiy.posts.document import PostContent

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
START = datetime(2026, 1, 1, tzinfo=UTC)
BOUNDS = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
POSTS = st.integers(0, 7)
UNSHRUNK = settings(BOUNDS, phases=[Phase.generate])
"""Settings for tests that must fail: the first failure is enough."""
FOUND = (AssertionError, Flaky)
"""Hypothesis repeats a failure; if it then appears at another step, Hypothesis raises Flaky."""


def document(post: str, user: int, version: int, time: datetime) -> PostContent:
    return {
        "_id": ObjectId(post), "user_id": user, "title": f"{post[-2:]} version {version}", "content": "c",
        "tags": [], "created_at": START, "updated_at": time, "expires_at": None, "version": version,
    }  # fmt: skip


def play(machine: type[RuleBasedStateMachine], bounds: settings = BOUNDS) -> None:
    run_state_machine_as_test(machine, settings=bounds)
