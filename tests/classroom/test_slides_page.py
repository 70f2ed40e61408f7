"""Each slide in Chromium at 1280 by 720, light and dark: nothing is cut off, and everything can be read.

LAB_KEEP_PICTURES=1 writes a screenshot of one slide of each deck to docs/pictures/.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from browser import PICTURES, SIZE
from playwright.sync_api import Browser, Page

from lab.site.slides import SOURCES, build

pytestmark = pytest.mark.campaign
DECKS = [file.stem for file in sorted(SOURCES.glob("[0-9][0-9]-*.md"))]
LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text."""
LEAST_PIXELS = 14.0
"""The smallest letters, at 1280 pixels of width."""

LOOK = Path(__file__).with_name("slides_look.js").read_text(encoding="utf-8")
LOOK = LOOK.replace("LEAST_CONTRAST", str(LEAST_CONTRAST)).replace("LEAST_PIXELS", str(LEAST_PIXELS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("slides") / "out"
    build(made)
    return made


def opened(browser: Browser, file: Path, scheme: str, faults: list[str]) -> Page:
    context = browser.new_context(
        viewport={"width": SIZE[0], "height": SIZE[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", DECKS)
def test_every_slide_can_be_read(browser: Browser, folder: Path, name: str, scheme: str) -> None:
    faults: list[Any] = []
    page = opened(browser, folder / f"{name}.html", scheme, faults)
    faults += page.evaluate(LOOK)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowLeft")
    page.locator(".slide").nth(3).scroll_into_view_if_needed()
    page.screenshot(path=folder / f"{name}-{scheme}.png")
    if os.environ.get("LAB_KEEP_PICTURES") and (name, scheme) == ("02-discovery", "light"):
        page.screenshot(path=PICTURES / "slides.png")
    page.context.close()
    assert not faults


def test_the_keys_turn_the_slides(browser: Browser, folder: Path) -> None:
    faults: list[str] = []
    page = opened(browser, folder / "01-services.html", "light", faults)
    count = page.locator(".slide").count()
    last = count - 1
    for key, wanted in (
        ("ArrowRight", 1), ("PageDown", 2), (" ", 3), ("ArrowLeft", 2), ("ArrowDown", 3), ("End", last),
        ("ArrowRight", last), ("Home", 0), ("PageUp", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        page.wait_for_function(
            f"() => Math.round(document.querySelector('.deck').scrollTop / innerHeight) === {wanted}"
        )
    page.context.close()
    assert not faults


def test_the_notes_and_the_index_can_be_read(browser: Browser, folder: Path) -> None:
    faults: list[str] = []
    page = opened(browser, folder / "index.html", "dark", faults)
    page.get_by_role("link", name="with notes").nth(4).click()
    assert "Notes: 04" in page.title()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    assert page.get_by_text("Take a token apart in the notebook").is_visible()
    page.context.close()
    assert not faults
