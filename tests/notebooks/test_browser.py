"""JupyterLab in a real browser: the launcher, an API page, the tour and one lab run from the menu.

LAB_KEEP_PICTURES=1 writes the screenshots to docs/pictures/.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright
from support import backend, eventually, home

from lab.course.exercise import exercise
from lab.home import REPO
from lab.install import debian
from lab.install.command import Runner
from lab.notebook import prediction
from lab.notebook.copies import questions, text_of
from lab.notebook.reference import instead
from lab.notebook.sources import FOLDER, TEXTS
from lab.probes import local_http
from lab.probes.readiness import slow

pytestmark = [pytest.mark.campaign, pytest.mark.live]

PICTURES = REPO / "docs" / "pictures"
PATIENCE_MS = 90_000
RUN_MS = 120_000
PORT = 8899
ERROR = ".jp-OutputArea-output[data-mime-type*='error']"
ERRORS = f"document.querySelectorAll({ERROR!r})"
STATUS_BAR = "document.querySelector('#jp-main-statusbar').innerText"
PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"


def browser_program(tmp: Path) -> str:
    """Return the path of Debian's Chromium; install it as root on Debian if it is missing."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    lock = os.open(tmp, os.O_RDONLY)
    try:
        debian.install(Runner(tmp / "logs", lock), ["chromium"], lambda said: None)
    finally:
        os.close(lock)
    found = shutil.which("chromium")
    assert found, "No Chromium: these tests need one. Install it: apt-get install chromium"
    return found


@dataclass
class Lab:
    """A running JupyterLab and a browser."""

    url: str
    browser: Browser
    pictures: Path

    def page(self, scheme: str = "light") -> Page:
        """Return a page that has loaded JupyterLab."""
        page = self.browser.new_page(
            viewport={"width": 1280, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page.set_default_timeout(PATIENCE_MS * slow())
        page.goto(f"{self.url}&reset")  # not the workspace of the page before
        page.wait_for_selector(".jp-Launcher-section")
        return page

    def keep(self, page: Page, name: str) -> None:
        """Save a screenshot."""
        page.screenshot(path=self.pictures / f"{name}.png")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    tmp = tmp_path_factory.mktemp("browser")
    pictures = PICTURES if os.environ.get("LAB_KEEP_PICTURES") else tmp
    pictures.mkdir(exist_ok=True)
    program = browser_program(tmp)
    kept = {file: file.read_bytes() for file in FOLDER.glob("*.ipynb")}
    log = tmp / "jupyter.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab", "notebook", "--no-browser"], cwd=REPO, stdout=out, stderr=out,
            env=env | {"LAB_PORT_JUPYTER": str(PORT)}, start_new_session=True,
        )  # fmt: skip
    try:
        eventually(lambda: "http://" in log.read_text(), within=60, what="the address of JupyterLab")
        url = re.findall(r"http://\S+", log.read_text())[0]
        eventually(lambda: answers(url), within=90, what="JupyterLab to answer")
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path=program, args=arguments)
            yield Lab(url, browser, pictures)
            browser.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        for file in FOLDER.glob("*.ipynb"):  # JupyterLab saves by itself
            file.write_bytes(kept[file]) if file in kept else file.unlink()


def answers(url: str) -> bool:
    """Return whether JupyterLab serves its page."""
    return local_http.get(url, timeout=30).status_code == 200


def open_notebook(page: Page, number: str) -> None:
    """Click the notebook's card in the launcher and wait until its kernel is idle."""
    page.locator(".jp-LauncherCard-label", has_text=re.compile(rf"^\s*{number} ")).click()
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    # The dot beside the kernel's name says "idle" before there is a connection; what is run then is lost.
    until(page, f"{STATUS_BAR}.includes('CivilDIY Lab | Idle')", "an idle kernel in the status bar")


def run_all(page: Page) -> None:
    """Run all cells from the menu, as a user would, and wait until none is waiting."""
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_text("Clear Outputs of All Cells", exact=True).click()
    until(page, f"{PROMPTS}.every(p => !/\\d/.test(p.textContent))", "all cells to be cleared")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    # After an error the cells below it are left alone: to wait for them would hide it.
    done = f"{ERRORS}.length || {PROMPTS}.every(p => /\\[\\d+\\]/.test(p.textContent))"
    until(page, done, "all cells to be run", RUN_MS)
    assert errors(page) == []


def until(page: Page, condition: str, what: str, patience: float = PATIENCE_MS) -> None:
    """Wait for a condition in JavaScript; if it stays false, fail with the prompts of all cells."""
    try:
        page.wait_for_function(f"() => {condition}", timeout=patience * slow())
    except TimeoutError as error:
        prompts = page.evaluate(f"{PROMPTS}.map(p => p.textContent)")
        raise AssertionError(f"waited for {what}; prompts: {prompts}; errors: {errors(page)}") from error


def all_units_run(page: Page) -> None:
    """Wait until the status line reports that all units run; it is updated periodically."""
    line = "document.querySelector('.civildiy-status')?.innerText"
    until(page, f"{line}.includes('12 of 12 units run')", "the status line")


def errors(page: Page) -> list[str]:
    """Return what cells printed as errors."""
    return page.locator(ERROR).all_inner_texts()


def test_launcher_shows_the_course_and_the_stack(lab: Lab) -> None:
    page = lab.page()
    # The extension asks the server for the course after the launcher is drawn.
    page.locator(".jp-LauncherCard-label", has_text=re.compile(r"^\s*08 ")).wait_for()
    cards = page.locator(".jp-LauncherCard-label").all_inner_texts()
    numbers = [card[:2] for card in cards if re.match(r"\d\d ", card)]
    assert numbers == sorted(file.name[:2] for file in TEXTS.glob("[0-9][0-9]-*.md"))
    assert page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert "tests" not in page.locator(".jp-DirListing-itemText").all_inner_texts()
    for wanted in ("Traefik's dashboard", "Consul", "API of auth", "API of feed"):
        assert wanted in cards
    all_units_run(page)
    lab.keep(page, "launcher")
    base = lab.url.partition("/lab")[0]
    page.goto(f"{base}/civildiy/api/posts")
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
    assert re.search(r"PASS: (\d+) of \1 checks", verdict.inner_text())
    all_units_run(page)  # the check has stopped a database
    lab.keep(page, "verdict-dark")
    page.get_by_role("link", name="labs/01-services/api.py").first.click()
    page.wait_for_selector(".jp-FileEditor")
    assert "async def health" in page.locator(".jp-FileEditor .cm-content").inner_text()
    page.close()


def press(page: Page, label: str) -> None:
    """Click a button of the panel as soon as it can be clicked."""
    page.locator(".jp-OutputArea button", has_text=re.compile(f"^{label}$")).first.click()


def test_predict_and_check_by_clicking(lab: Lab) -> None:
    """One lab with the mouse: prediction, outcome, start, check, stop; all is there when reopened."""
    prediction.forget(home, questions(text_of("01")))
    page = lab.page()
    radios = page.locator(".jp-OutputArea input[type=radio]")
    with instead(home, backend, exercise("01"), solved=True):
        open_notebook(page, "01")
        run_all(page)
        assert radios.count() >= 2
        radios.nth(1).scroll_into_view_if_needed()
        radios.nth(1).click()
        page.get_by_text("Your answer is b. You can change it").wait_for()
        lab.keep(page, "prediction")
        page.locator(".jp-CodeCell .cm-content", has_text="guess.compare(").first.click()
        page.keyboard.press("Control+Enter")
        page.locator(".jp-OutputArea td", has_text=re.compile("^b: ")).first.wait_for()
        page.get_by_text("You have seen the outcome").wait_for()
        assert radios.nth(1).is_checked()
        assert radios.nth(0).is_disabled()
        press(page, "Start")
        page.locator(".jp-OutputArea pre", has_text="runs labs/01-services").last.wait_for()
        press(page, "Check")
        page.get_by_text("Each step that you have written passes.").wait_for(timeout=RUN_MS * slow())
        page.get_by_text("Step 1 ").first.scroll_into_view_if_needed()
        lab.keep(page, "panel")
        press(page, "Stop")
        page.locator(".jp-OutputArea pre", has_text="runs the platform's own code again").last.wait_for()
    page.keyboard.press("Control+s")
    file = FOLDER / f"{text_of('01').stem}.ipynb"
    eventually(lambda: "You have seen the outcome" in file.read_text(), within=30, what="a saved notebook")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Shut Down Kernel", exact=True).click()
    page.close()
    page = lab.page()
    open_notebook(page, "01")
    page.get_by_text("You have seen the outcome").wait_for()
    assert page.locator(".jp-OutputArea input[type=radio]").nth(1).is_checked()
    assert "PASS: " in page.locator(".jp-Notebook").inner_text()
    page.close()
