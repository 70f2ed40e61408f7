"""`./lab storm` with the option: what each fault burned of the budgets, and a picture with metrics."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support import until_healthy

from civildiy.operations.objectives import OBJECTIVES
from lab.home import REPO
from lab.storm.measured import SHOWN
from lab.text import as_html

SEED, MINUTES = "8", "1"
METRIC = re.compile(r'<polyline points="([^"]*)" fill="none" stroke="#222222"/>')


@pytest.mark.fault
def test_a_storm_reports_what_each_fault_burned(tmp_path: Path) -> None:
    load = ["--minutes", MINUTES, "--writes", "5", "--reads", "5"]
    words = ["storm", "--seed", SEED, *load, "--out", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "lab", *words], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    until_healthy()
    spells = json.loads((tmp_path / f"storm-{SEED}.json").read_text(encoding="utf-8"))["history"]["spells"]
    faults = [(spell["fault"], spell["unit"]) for spell in spells if not spell["trouble"]]
    assert faults
    _, _, table = ran.stdout.partition("error budget that each fault burned")
    rows = [line.split() for line in table.splitlines() if line.rstrip().endswith(("%", "-"))]
    assert [(row[0], row[1]) for row in rows] == faults
    # A gateway that is down counts nothing, so "-" stands where no request was measured.
    cells = [re.findall(r"[\d.]+ %|-", " ".join(row[2:])) for row in rows]
    assert {len(row) for row in cells} == {len(OBJECTIVES)}, table
    for number, objective in enumerate(OBJECTIVES):
        shares = [float(row[number].removesuffix(" %")) for row in cells if row[number] != "-"]
        assert shares, f"{objective.name} was never measured:{table}"
    assert any(float(cell.removesuffix(" %")) > 0 for row in cells for cell in row if cell != "-"), table
    picture = (tmp_path / f"storm-{SEED}.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(picture)
    assert all(as_html(name) in picture for name in SHOWN)
    assert len(METRIC.findall(picture)) >= len(SHOWN)
