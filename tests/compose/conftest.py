import os
from collections.abc import Iterator

import pytest
from compose.stack import Stack, stack
from support import home

from lab.errors import LabError

WITHOUT = "LAB_CI_WITHOUT_DOCKER"


@pytest.fixture(scope="module")  # the native stack is needed again afterwards
def on_compose(pytestconfig: pytest.Config) -> Iterator[Stack]:
    """The system under Compose; without an engine this fails, unless somebody allowed it by hand."""
    try:
        with stack(home) as found:
            yield found
            _report(pytestconfig, found)
    except LabError as error:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"NOTHING WAS TRIED ON COMPOSE ({WITHOUT}=1): {error}")
        raise AssertionError(f"Compose cannot be tried ({WITHOUT}=1 leaves it out): {error}") from error


def _report(config: pytest.Config, found: Stack) -> None:
    """What was measured, for whoever reads the log."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter:
        reporter.ensure_newline()
        for what, seconds in found.seconds.items():
            reporter.write_line(f"compose: {what}: {seconds:.0f} s")
        for line in found.figures:
            reporter.write_line(f"compose: {line}")
