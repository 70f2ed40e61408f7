"""JupyterLab in a real browser: the launcher, an API page, the tour and one lab run from the menu.

LAB_KEEP_PICTURES=1 writes the screenshots to docs/pictures/.
"""

import re

import pytest
from browser import PATIENCE_MS, Lab, all_units_run, open_notebook, run_all
from playwright.sync_api import expect
from support import backend, home

from lab.course.exercise import exercise
from lab.deadlines import slow
from lab.notebook.reference import instead
from lab.notebook.texts import TEXTS

pytestmark = [pytest.mark.campaign, pytest.mark.live]


def test_launcher_shows_the_course_and_the_stack(lab: Lab) -> None:
    page = lab.page()
    lessons = sorted(file.name[:2] for file in TEXTS.glob("[0-9][0-9]-*.md"))
    # The extension asks the server for the course after the launcher is drawn.
    page.locator(".jp-LauncherCard-label", has_text=re.compile(rf"^\s*{lessons[-1]} ")).wait_for()
    cards = page.locator(".jp-LauncherCard-label").all_inner_texts()
    numbers = [card[:2] for card in cards if re.match(r"\d\d ", card)]
    assert numbers == lessons
    assert page.locator(".jp-DirListing-itemText").all_inner_texts() == [
        "docs",
        "labs",
        "notebooks",
        "README.md",
    ]
    for wanted in ("Traefik's dashboard", "Consul", "API of auth", "API of feed", "Submit your work"):
        assert wanted in cards
    all_units_run(page)
    lab.keep(page, "launcher")
    page.goto(f"{lab.base}/civildiy/api/posts")
    assert "POST /api/posts" in page.inner_text("body")
    page.close()


def test_tour_from_the_menu_to_the_end(lab: Lab) -> None:
    page = lab.page()
    open_notebook(page, "00")
    run_all(page)
    pictures = page.locator(".jp-RenderedHTMLCommon figure img")
    assert pictures.count() >= 2
    for number in range(pictures.count()):
        picture = pictures.nth(number)
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 300")
        assert len(picture.get_attribute("alt") or "") > 40
    all_units_run(page)  # the tour has stopped the projector
    pictures.nth(0).scroll_into_view_if_needed()
    lab.keep(page, "tour-map")
    pictures.nth(1).scroll_into_view_if_needed()
    lab.keep(page, "tour-journey")
    page.close()


def test_start_and_check_a_lab(lab: Lab) -> None:
    page = lab.page("dark")
    with instead(home, backend, exercise("01"), solved=True):
        open_notebook(page, "01")
        run_all(page)
    verdict = page.locator(".jp-RenderedHTMLCommon table", has_text="what was checked")
    verdict.scroll_into_view_if_needed()
    # Not at once: JupyterLab draws an output when it comes into view.
    passed = re.compile(r"PASS: (\d+) of \1 checks")
    expect(verdict).to_contain_text(passed, timeout=PATIENCE_MS * slow())
    all_units_run(page)  # the check has stopped a database
    lab.keep(page, "verdict-dark")
    page.get_by_role("link", name="labs/01-services/api.py").first.click()
    page.wait_for_selector(".jp-FileEditor")
    assert "async def health" in page.locator(".jp-FileEditor .cm-content").inner_text()
    page.close()
