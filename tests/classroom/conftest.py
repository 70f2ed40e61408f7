"""One browser for the tests of a module."""

from collections.abc import Iterator

import pytest
from browser import OFFLINE, browser_program
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Provide Chromium without a network."""
    program = browser_program(tmp_path_factory.mktemp("chromium"))
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage", OFFLINE]
        found = playwright.chromium.launch(executable_path=program, args=arguments)
        yield found
        found.close()
