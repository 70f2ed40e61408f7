"""The pytest plugin for `pytest checks/`: which checks run, on which system, and what their outcome is."""

import fcntl
import json
import random
import re
import secrets
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from civildiy.course_runtime.finder import fingerprint
from grading import judge, outcome, own_code, servers
from grading.answers import Last
from grading.one_partition import need_one_partition
from grading.options import need_option, without_option
from grading.outcome import NotGradable, Outcome, Verdict
from grading.people import Person
from grading.report import VERDICT, others_key
from grading.stack import backend, home
from grading.system import wait_until_well
from lab.course import steps
from lab.course.exercise import Exercise, exercise
from lab.course.running import Incident, active, is_active, running_files
from lab.course.steps import Step
from lab.errors import LabError, NotFromHere

settled_key = pytest.StashKey[own_code.Settled]()
steps_key = pytest.StashKey[dict[str, tuple[tuple[str, ...], tuple[Step, ...]]]]()
unusable_key = pytest.StashKey[dict[str, list[Incident]]]()
began_key = pytest.StashKey[float]()
watched_key = pytest.StashKey[servers.Watched]()


def check(points: int) -> pytest.MarkDecorator:
    """Return the mark that makes a test function a check worth `points`."""
    return pytest.mark.check(points=points)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labs")
    group.addoption("--seed", type=int, help="Repeat a run with the same users and data.")
    group.addoption("--step", type=int, action="append", help="Judge only this step; may be repeated.")
    group.addoption("--list-checks", type=Path, help="List all checks in this file as JSON, and run none.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(points): one thing for which a lab is graded")
    config.addinivalue_line("markers", "disturbs: stops parts of the system, so it runs alone")
    config.addinivalue_line("markers", "with_fault: runs also while a server does not answer")
    config.stash[settled_key] = own_code.Settled()
    config.stash[steps_key] = {}
    config.stash[unusable_key] = {}
    seed = config.getoption("--seed")
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    config.option.seed = worker.get("seed", secrets.randbelow(10**6) if seed is None else seed)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --step, list the checks of all other steps instead of running them; with --list-checks, all.

    With --exitfirst, checks that stop parts of the system come last.
    """
    chosen = config.getoption("--step")
    if config.getoption("maxfail") == 1:
        # A run that ends at the first failure should find it soon. A check that stops units is slow.
        items.sort(key=lambda item: item.get_closest_marker("disturbs") is not None)
    if file := config.getoption("--list-checks"):
        listed = [{**_listed(item), "lab": lab_of(item).number} for item in items]
        file.write_text(json.dumps(listed), encoding="utf-8")
        items.clear()
    if left_out := without_option(items, lab_of):
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    if not chosen:
        return
    others = [item for item in items if step_of(item) not in chosen]
    config.stash[others_key] = [_listed(item) for item in others]
    items[:] = [item for item in items if step_of(item) in chosen]
    config.hook.pytest_deselected(items=others)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """With -n, let all workers share the seed."""
    node.workerinput["seed"] = node.config.option.seed


def pytest_report_header(config: pytest.Config) -> list[str]:
    mine = ", ".join(lab.number for lab in active(home)) or "none"
    return [
        f"labs that run your code: {mine} (all others run the platform's)",
        f"seed: {config.option.seed} (repeat this run with --seed {config.option.seed})",
    ]


def lab_of(item: pytest.Item) -> Exercise:
    """Return the lab of a check, from the name of its file, or of its package if that runs alone."""
    number = re.search(r"(?:test_|lab)(\d\d)_", f"{item.path.parent.name}/{item.path.name}")
    assert number is not None, f"{item.path} does not belong to a lab"
    return exercise(number[1])


def step_of(item: pytest.Item) -> int:
    """Return the number of the step that a check judges."""
    return steps.judged_by(lab_of(item), item.name)


def _now(item: pytest.Item) -> Step | None:
    """Return that step with the state of the learner's files; None while the platform's code runs."""
    lab = lab_of(item)
    if not is_active(home, lab):
        return None
    files = running_files(home, lab)
    seen = tuple(fingerprint(file) for file in files.values())
    known = item.config.stash[steps_key]
    if known.get(lab.number, ((), ()))[0] != seen:
        known[lab.number] = seen, tuple(steps.steps_of(lab, files))
    return known[lab.number][1][step_of(item) - 1]


def _listed(item: pytest.Item) -> dict[str, Any]:
    marker = item.get_closest_marker("check")
    points = marker.kwargs["points"] if marker else 0
    return {"check": item.name, "title": _title(item), "step": step_of(item), "points": points}


def _title(item: pytest.Item) -> str:
    return (item.function.__doc__ or item.name).strip().splitlines()[0].rstrip(".")  # type: ignore[attr-defined]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Provide randomness for this check, from the seed of the run."""
    return random.Random(f"{request.config.option.seed} {request.node.name}")


@pytest.fixture
def ada(rng: random.Random, gradable: None) -> Person:
    """Provide a user with an account."""
    return Person(rng)


@pytest.fixture
def bob(rng: random.Random, gradable: None) -> Person:
    """Provide another user."""
    return Person(random.Random(rng.random()))


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Exercise:
    """Provide the lab that is graded."""
    return lab_of(request.node)


@pytest.fixture(autouse=True)
def gradable(request: pytest.FixtureRequest, lab: Exercise) -> Iterator[None]:
    """Run the check on a system that can be graded, with the saved code, and alone if it `disturbs`."""
    alone = request.node.get_closest_marker("disturbs") is not None
    step = _now(request.node)
    if step:
        own_code.refuse(lab, step, request.config.stash[unusable_key])
    home.root.mkdir(parents=True, exist_ok=True)
    with (home.root / "checks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        faulty = request.node.get_closest_marker("with_fault") is not None
        why = "the system is not running" * (not backend.running()) if faulty else servers.trouble()
        if why:
            raise servers.ServerUnavailable(why)
        need_option(lab)
        request.node.stash[watched_key] = servers.Unwatched({}) if faulty else servers.Watched.now()
        if not faulty:
            wait_until_well()
            need_one_partition(lab)
        if step:
            try:
                own_code.wait_until_loaded(lab, step.number, request.config.stash[settled_key])
                own_code.refuse_unusable(lab, step)
            except LabError as error:
                raise NotGradable(str(error)) from error
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[began_key] = time.time()
    item.stash[watched_key] = servers.Watched({})
    Last.source = None
    own_code.noted.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("check")
    if marker is None:
        return report
    lab = lab_of(item)
    verdict = Verdict(
        item.name, _title(item), lab.number, marker.kwargs["points"], Outcome.PASS, call.duration, [],
        step_of(item),
    )  # fmt: skip
    step = _now(item)
    if step and step.untouched:
        verdict.outcome, verdict.lines = judge.unfinished(lab, step)
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, KeyboardInterrupt):
        return report
    if step and (call.when == "call" or error):
        error = own_code.what_counts(lab, step, error)
    if error is not None:
        verdict.outcome, verdict.lines = judge.judge(
            lab, error, item.stash[began_key], item.stash[watched_key], step
        )
        verdict.lines = [(label, outcome.printable(text)) for label, text in verdict.lines]
        if isinstance(error, NotFromHere):
            # Not a failure: pytest must neither stop here nor begin with this check the next time.
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {verdict.text()}")
        else:
            report.outcome = "failed"
            report.longrepr = verdict.text()
        if call.excinfo is not None:
            _keep_details(item, call)
    if call.when == "call" or error is not None:
        report.user_properties.append((VERDICT, verdict.as_dict()))
    return report


def _keep_details(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Write the traceback to a file, for the authors of the checks. An unavailable server needs none."""
    assert call.excinfo is not None
    if isinstance(call.excinfo.value, NotGradable | judge.Unwritten):
        return
    with (home.root / "checks.log").open("a") as out:
        out.write(f"{time.strftime('%F %T')} {item.nodeid}\n{call.excinfo.getrepr(style='long')}\n")
