"""The pytest plugin that collects the verdicts of all checks, shows them, and writes them to a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from grading import outcome
from grading.outcome import Outcome, Verdict, from_dict, overall
from grading.stack import backend

VERDICT = "verdict"
"""The name under which a report carries its verdict, also from a worker of pytest-xdist."""
verdicts_key = pytest.StashKey[dict[str, Verdict]]()
others_key = pytest.StashKey[list[dict[str, Any]]]()
"""The checks that --step left out."""

_config: pytest.Config


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labs")
    group.addoption("--verdicts", type=Path, help="Write all verdicts to this file as JSON.")


def pytest_configure(config: pytest.Config) -> None:
    global _config
    _config = config
    config.stash[verdicts_key] = {}
    config.stash[others_key] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == VERDICT:
            _config.stash[verdicts_key][report.nodeid] = from_dict(dict(value))  # type: ignore[call-overload]


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    # The report of a file that cannot be imported is an object of another kind, without this attribute.
    verdicts = [value for name, value in getattr(report, "user_properties", []) if name == VERDICT]
    if report.passed or not verdicts:
        return None
    outcome = dict(verdicts[-1])["outcome"]
    return report.outcome, {"fail": "F", "not gradable": "N", "not attempted": "-"}[outcome], outcome.upper()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if any(verdict.outcome is Outcome.FAIL for verdict in config.stash[verdicts_key].values()):
        terminalreporter.write_line(
            f"Repeat this run with the same users and data: --seed {config.option.seed}"
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    verdicts = list(session.config.stash[verdicts_key].values())
    if hasattr(session.config, "workerinput") or not verdicts:
        return
    if session.exitstatus in (0, 1):
        outcomes = [verdict.outcome for verdict in verdicts]
        if backend.kind == "inside" and {Outcome.FAIL, Outcome.NOT_ATTEMPTED} & {*outcomes}:
            # Checks that only work outside the container must not hide what was found here.
            outcomes = [each for each in outcomes if each is not Outcome.NOT_GRADABLE]
        session.exitstatus = outcome.EXIT_CODES[overall(outcomes)]
    if file := session.config.getoption("--verdicts"):
        file.write_text(json.dumps([verdict.as_dict() for verdict in verdicts], indent=1))
        if others := session.config.stash[others_key]:
            file.with_name(f"{file.name}.others").write_text(json.dumps(others))
