"""A running JupyterLab and a browser, for tests that click and type as a learner does."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright
from support import backend, eventually

from lab import options
from lab.deadlines import slow
from lab.home import REPO
from lab.install import debian
from lab.install.command import Runner
from lab.notebook.texts import FOLDER
from lab.probes import local_http
from lab.topology import UNITS

PICTURES = REPO / "docs" / "pictures"
PATIENCE_MS = 90_000
RUN_MS = 120_000
PORT = 8899
SIZE = (1280, 720)
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.*"
ERROR = ".jp-OutputArea-output[data-mime-type*='error']"
ERRORS = f"document.querySelectorAll({ERROR!r})"
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

    @property
    def base(self) -> str:
        """The address of JupyterLab's server."""
        return self.url.partition("/lab")[0]

    def page(self, scheme: str = "light", *, again: bool = False) -> Page:
        """Return a page that shows the launcher; `again`: with the tabs of the last visit."""
        page = self.empty(scheme)
        page.goto(self.url if again else f"{self.url}&reset")
        page.wait_for_selector(".jp-Launcher-section")
        return page

    def empty(self, scheme: str = "light") -> Page:
        """Return a page that has not loaded anything."""
        page = self.browser.new_page(
            viewport={"width": SIZE[0], "height": SIZE[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page.set_default_timeout(PATIENCE_MS * slow())
        return page

    def keep(self, page: Page, name: str) -> None:
        """Save a screenshot."""
        page.screenshot(path=self.pictures / f"{name}.png")


@contextmanager
def jupyterlab(tmp: Path) -> Iterator[Lab]:
    """Start JupyterLab and a browser; the learner's notebooks are as before afterwards.

    LAB_KEEP_PICTURES=1 writes the screenshots to docs/pictures/.
    """
    pictures = PICTURES if os.environ.get("LAB_KEEP_PICTURES") else tmp
    pictures.mkdir(exist_ok=True)
    program = browser_program(tmp)
    kept = {file: file.read_bytes() for file in FOLDER.glob("*.ipynb")}
    for file in kept:
        file.unlink()  # a fresh copy is made
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
            arguments = ["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage", OFFLINE]
            browser = playwright.chromium.launch(executable_path=program, args=arguments)
            yield Lab(url, browser, pictures)
            browser.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        for file in {*FOLDER.glob("*.ipynb"), *kept}:  # JupyterLab saves by itself
            file.write_bytes(kept[file]) if file in kept else file.unlink()


def answers(url: str) -> bool:
    """Return whether JupyterLab serves its page."""
    return local_http.get(url, timeout=30).status_code == 200


def open_notebook(page: Page, number: str) -> None:
    """Click the notebook's card in the launcher."""
    page.locator(".jp-LauncherCard-label", has_text=re.compile(rf"^\s*{number} ")).click()
    page.wait_for_selector(".jp-Notebook .jp-Cell")


def run_all(page: Page) -> None:
    """Run all cells from the menu, as a user would, and wait until none is waiting."""
    menu(page, "Run", "Run All Cells")
    # After an error the cells below it are left alone: to wait for them would hide it.
    done = f"{ERRORS}.length || ({PROMPTS}.length && {PROMPTS}.every(p => /\\[\\d+\\]/.test(p.textContent)))"
    until(page, done, "all cells to be run", RUN_MS)
    assert errors(page) == []


def run_cell(page: Page, beginning: str) -> None:
    """Click the cell with this text, run it with the keyboard, and wait until it has run."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text=beginning)).first
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    prompt = cell.locator(".jp-InputPrompt")
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=RUN_MS * slow())
    assert errors(page) == []


def menu(page: Page, name: str, entry: str) -> None:
    """Click an entry of the menu bar."""
    page.get_by_role("menuitem", name=name, exact=True).click()
    page.get_by_text(entry, exact=True).click()


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
    units = len(UNITS) + len(options.servers(backend.options()))
    until(page, f"{line}.includes('{units} of {units} units run')", "the status line")


def errors(page: Page) -> list[str]:
    """Return what cells printed as errors."""
    return page.locator(ERROR).all_inner_texts()
