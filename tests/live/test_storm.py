"""A storm over the whole system, on either backend."""

from pathlib import Path

import pytest
from support import backend, home

from lab.faults.catalog import impossible
from lab.storm.run import Load, Storm
from lab.storm.schedule import schedule
from lab.storm.show import print_report
from lab.terminal import Console

SEED, SECONDS = 8, 180

pytestmark = [pytest.mark.fault, pytest.mark.campaign]


def test_nothing_is_lost_in_a_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = schedule(SEED, SECONDS, impossible(backend.kind))
    report = Storm(home, backend, SEED, SECONDS, planned, Load(writes=15, reads=15)).run()
    with capsys.disabled():
        print()
        print_report(report, tmp_path, "storm", Console(width=100))
    assert report.passed, report.violations or "it did not recover in time"
    assert len(report.history.spells) == len(planned)
    history = report.history
    assert sum(write.outcome == "done" for write in history.writes) > SECONDS
    # A verdict without any writes would prove nothing.
    judged = [read for read in history.reads if read.entries and read.floor]
    assert sum(read.user == 0 for read in judged) > SECONDS
    assert sum(read.user != 0 for read in judged) > SECONDS
    assert {(look.user > 0, look.claimed > 0, look.status) for look in history.looks} >= {
        (True, False, 200), (True, True, 200), (False, True, 401),
    }  # fmt: skip
