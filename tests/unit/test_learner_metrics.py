"""A learner's module that raises leaves no metric behind, so the platform's module can register its own."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, generate_latest

from civildiy.course_runtime.finder import LearnerFinder
from civildiy.course_runtime.starter import Task, starter_text, task_beside

PLATFORM = """
from prometheus_client import Counter, Histogram
import counted_beside
REQUESTS = Counter("lesson_requests", "Requests")
SECONDS = {"all": Histogram("lesson_seconds", "Seconds")}
def answer():
    return 7
"""
BESIDE = "from prometheus_client import Gauge\nDEPTH = Gauge('lesson_depth', 'Depth')\n"
TASK = """
[[pieces]]
module = "counted"
file = "counted.py"
units = []
[pieces.left_out]
answer = 1
"""
BROKEN = {
    "raises": "1 / 0",
    "a-metric-twice": "AGAIN = Counter('lesson_requests', 'Requests')",
    "another-metric": "MINE = Counter('lesson_mine', 'Mine')\nMINE = None\nraise OSError",
}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """Import the module `counted`, merged with a file that raises after it has registered metrics."""
    (tmp_path / "counted.py").write_text(PLATFORM)
    (tmp_path / "counted_beside.py").write_text(BESIDE)
    mine = tmp_path / "lab" / "counted.py"
    mine.parent.mkdir()
    (mine.parent / "exercise.toml").write_text(TASK)
    task = task_beside(mine, "counted")
    assert isinstance(task, Task)
    mine.write_text(starter_text(PLATFORM, task) + "\n" + BROKEN[request.param] + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[BaseException] = []
    finder = LearnerFinder({"counted": mine}, lambda _, error: told.append(error))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    before = {*REGISTRY._collector_to_names}
    try:
        assert importlib.import_module("counted").answer() == 7
        assert len(told) == 1
        yield generate_latest(REGISTRY).decode()
    finally:
        for collector in {*REGISTRY._collector_to_names} - before:
            REGISTRY.unregister(collector)
        for name in ("counted", "counted_beside"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize("broken", BROKEN, indirect=True)
def test_the_metrics_are_the_platforms(broken: str) -> None:
    assert "lesson_requests_total 0.0" in broken
    assert "lesson_seconds_count 0.0" in broken
    assert "lesson_mine" not in broken


@pytest.mark.parametrize("broken", BROKEN, indirect=True)
def test_the_metrics_of_another_module_stay(broken: str) -> None:
    assert "lesson_depth 0.0" in broken
