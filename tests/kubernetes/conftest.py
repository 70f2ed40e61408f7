import os
from collections.abc import Iterator

import pytest
from kubernetes.system import System, system
from support import home

from lab.errors import LabError

WITHOUT = "LAB_CI_WITHOUT_KUBERNETES"
HERE = __file__.rpartition("/")[0]
MEASURED: list[System] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.kubernetes)
            item.add_marker(pytest.mark.campaign)


@pytest.fixture(scope="package")
def on_kubernetes() -> Iterator[System]:
    """Provide the system on a cluster; fail without one, unless a user has allowed that."""
    try:
        with system(home) as found:
            MEASURED.append(found)
            yield found
    except LabError as error:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"NOTHING WAS TRIED ON KUBERNETES ({WITHOUT}=1): {error}")
        raise AssertionError(f"Kubernetes cannot be tried ({WITHOUT}=1 leaves it out): {error}") from error


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured at the end, because pytest hides earlier output."""
    for found in MEASURED:
        for line in found.figures:
            terminalreporter.write_line(f"kubernetes: {line}")
