"""A command that runs cells is not lost in the first seconds, before a notebook has cells and a kernel."""

import json
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Lab, menu
from playwright.sync_api import Page, Route

from lab.jupyter.kernel import NAME, TITLE
from lab.notebook.texts import FOLDER

pytestmark = [pytest.mark.campaign, pytest.mark.live]

SLOW_SECONDS = 3
KERNEL = {"name": NAME, "display_name": TITLE, "language": "python"}


@pytest.fixture
def file() -> Iterator[Path]:
    """A notebook of two cells that needs no system. Its name is new, so that no kernel is there."""
    file = FOLDER / f"first-second-{secrets.token_hex(3)}.ipynb"
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": f"print({n}*{n})",
        }
        for n in (111, 222)
    ]
    file.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 4})
    )
    yield file
    file.unlink()


def slowly(route: Route) -> None:
    time.sleep(SLOW_SECONDS)
    route.continue_()


@pytest.mark.parametrize(
    "slow",
    ["contents/notebooks/first-second", "sessions", "nothing"],
)
@pytest.mark.parametrize("way", ["menu", "keyboard"])
def test_run_is_not_lost(lab: Lab, file: Path, slow: str, way: str) -> None:
    page = lab.empty()
    page.route(re.compile(f"/api/{slow}"), slowly)
    page.goto(f"{lab.base}/lab/tree/notebooks/{file.name}{lab.url[lab.url.index('?') :]}&reset")
    page.wait_for_selector(".jp-NotebookPanel")
    outputs = run(page, way)
    page.locator(".jp-OutputArea-output", has_text=outputs[-1]).wait_for()
    assert [said.strip() for said in page.locator(".jp-OutputArea-output").all_inner_texts()] == outputs
    page.close()


def run(page: Page, way: str) -> list[str]:
    """Run from the menu all cells, with the keyboard the first one; return the outputs to come."""
    if way == "menu":
        menu(page, "Run", "Run All Cells")
        return ["12321", "49284"]
    page.locator(".jp-NotebookPanel").click()
    page.keyboard.press("Control+Enter")
    return ["12321"]
