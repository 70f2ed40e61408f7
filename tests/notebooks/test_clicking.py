"""One lab by clicking and typing alone, from the launcher to "passed"."""

import re
from collections.abc import Iterator

import pytest
from browser import PROMPTS, RUN_MS, Lab, menu, open_notebook, run_cell, until
from playwright.sync_api import Locator, Page, expect
from support import backend, eventually, home

from lab.course.exercise import exercise
from lab.course.record import Record
from lab.deadlines import slow
from lab.notebook import prediction
from lab.notebook.copies import questions, text_of
from lab.notebook.reference import instead
from lab.notebook.texts import FOLDER

pytestmark = [pytest.mark.campaign, pytest.mark.live]

LAB = exercise("01")
RAISE = 'raise NotImplementedError("Lab 01, step 1: write health")'
HEALTH = 'return Health(service="profile")'


@pytest.fixture(autouse=True)
def beginner(lab: Lab) -> Iterator[None]:
    """A learner who has not begun lab 01: starters, no answers and no verdicts."""
    prediction.forget(home, questions(text_of("01")))
    with instead(home, backend, LAB, solved=False):
        (home.root / "progress.json").unlink(missing_ok=True)
        yield
        for context in lab.browser.contexts:  # an open editor would save its file again
            context.close()
    prediction.forget(home, questions(text_of("01")))


def test_from_the_launcher_to_passed(lab: Lab) -> None:
    page = lab.page()
    open_notebook(page, "01")
    run_cell(page, "from lab.notebook import")
    predict(lab, page)
    run_cell(page, "%lab start 01")
    press(page, "Start")
    page.locator(".jp-OutputArea pre", has_text="runs labs/01-services").last.wait_for()
    write_one_step(page)
    back(page)
    press(page, "Check")
    said(page, "Each step that you have written passes. Still open: step 2, 3, 4, 5.")
    step(page, "✓ Step 1").scroll_into_view_if_needed()
    assert step(page, "○ Step 2").inner_text().endswith(" open")
    lab.keep(page, "panel-one-step")
    write_the_rest(page)
    back(page)
    press(page, "Check")
    for number in range(1, len(LAB.steps)):  # the verdict of each step as it arrives
        expect(step(page, f"✓ Step {number} ")).to_be_visible(timeout=RUN_MS * slow())
        lab.keep(page, f"panel-checking-{number}")
    said(page, "Lab 01 is passed: each of its 5 steps passes.")
    step(page, "✓ Step 5").scroll_into_view_if_needed()
    lab.keep(page, "panel")
    assert page.locator(".jp-OutputArea td", has_text="FAIL").count() == 0
    press(page, "Stop")
    page.locator(".jp-OutputArea pre", has_text="runs the platform's own code again").last.wait_for()
    assert Record(home).of("01")["passed_once"] is True
    menu(page, "File", "New Launcher")
    page.locator(".jp-LauncherCard-label", has_text=re.compile(r"^01 .* \(passed\)$")).last.wait_for()
    page.locator(".jp-LauncherCard-label", has_text=re.compile(r"^02 .* \(next\)$")).last.wait_for()
    lab.keep(page, "launcher-passed")
    page.close()


def predict(lab: Lab, page: Page) -> None:
    """Answer by a click, see the outcome; then the answer is locked."""
    run_cell(page, "guess = predict(")
    radios = page.locator(".jp-OutputArea input[type=radio]")
    assert radios.count() >= 2
    radios.nth(1).scroll_into_view_if_needed()
    radios.nth(1).click()
    page.get_by_text("Your answer is b. You can change it").wait_for()
    radios.nth(0).click()
    page.get_by_text("Your answer is a. You can change it").wait_for()
    radios.nth(1).click()
    lab.keep(page, "prediction")
    run_cell(page, "seen = outages.")
    run_cell(page, "guess.compare(")
    page.locator(".jp-OutputArea td", has_text=re.compile("^b: ")).first.wait_for()
    page.get_by_text("You have seen the outcome").wait_for()
    assert radios.nth(1).is_checked()
    assert radios.nth(0).is_disabled()
    radios.nth(1).scroll_into_view_if_needed()
    lab.keep(page, "prediction-locked")


def write_one_step(page: Page) -> None:
    """Open a file by its link in the notebook, and type the body of one function."""
    open_file(page, "api.py")
    line = page.locator(".jp-FileEditor .cm-line", has_text=RAISE)
    line.click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type(HEALTH)
    save(page, "api.py", HEALTH)


def write_the_rest(page: Page) -> None:
    """Paste the reference over both files."""
    for piece in LAB.pieces:
        back(page)
        open_file(page, piece.file.name)
        page.locator(".jp-FileEditor:visible .cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(piece.source.read_text())
        save(page, piece.file.name, piece.source.read_text())


def open_file(page: Page, name: str) -> None:
    page.get_by_role("link", name=f"labs/01-services/{name}", exact=True).first.click()
    page.locator(".jp-FileEditor:visible .cm-content").wait_for()
    page.locator(".lm-TabBar-tab.jp-mod-current", has_text=name).first.wait_for()


def save(page: Page, name: str, text: str) -> None:
    page.keyboard.press("Control+s")
    eventually(lambda: text in (LAB.folder / name).read_text(), within=20, what=f"{name} to be saved")


def back(page: Page) -> None:
    """Show the notebook again."""
    page.locator(".lm-TabBar-tab", has_text=f"{text_of('01').stem}.ipynb").click()
    page.locator(".jp-Notebook:visible").wait_for()


def press(page: Page, label: str) -> None:
    """Click a button of the panel as soon as it can be clicked."""
    page.locator(".jp-OutputArea button", has_text=re.compile(f"^{label}$")).first.click()


def step(page: Page, beginning: str) -> Locator:
    """Return the line of a step in the panel."""
    return page.locator(".jp-OutputArea li", has_text=beginning).first


def said(page: Page, text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=RUN_MS * slow())


def test_with_the_keyboard_alone(lab: Lab) -> None:
    """From the launcher to an answer and a verdict, without a mouse."""
    page = lab.page()
    focused(
        page, "here.matches('.jp-LauncherCard') && here.title.startsWith('00 ')"
    )  # a beginner starts there
    page.keyboard.press("ArrowRight")
    focused(page, "here.matches('.jp-LauncherCard') && here.title.startsWith('01 ')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    focused(page, "here.closest('.jp-Notebook')")
    run_down_to_a_prediction(page)
    tab_to(page, "here.matches('.jp-OutputArea input[type=radio]')")
    page.keyboard.press("Space")
    page.get_by_text("Your answer is c. You can change it").wait_for()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.get_by_text("Your answer is b. You can change it").wait_for()
    lab.keep(page, "prediction-by-keyboard")
    page.close()


def focused(page: Page, condition: str) -> None:
    """Wait until the element with the focus (`here` in JavaScript) is the one that is meant."""
    holds = f"(here => Boolean({condition}))(document.activeElement)"
    eventually(lambda: page.evaluate(holds), within=90, what=condition)


def run_down_to_a_prediction(page: Page) -> None:
    """Press Shift+Enter from the first cell on until the choices are shown, and no further."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text="predict("))
    prompt = cell.locator(".jp-InputPrompt")
    page.get_by_text("CivilDIY Lab | Idle").wait_for()
    for _ in range(30):
        page.keyboard.press("Shift+Enter")
        # The kernel's state is still "idle" for a moment, so it tells nothing about this cell.
        until(page, f"!{PROMPTS}.some(p => p.textContent.includes('*'))", "the cell to be run", RUN_MS)
        if prompt.count() and re.search(r"\[\d+\]", prompt.first.inner_text()):
            page.locator(".jp-OutputArea input[type=radio]").first.wait_for()
            return
    raise AssertionError("30 cells were run, and none has shown a prediction")


def tab_to(page: Page, condition: str) -> None:
    """Press Shift+Tab until the element with the focus is the one that is meant."""
    for _ in range(80):
        if page.evaluate(
            f"(() => {{ const here = document.activeElement; return Boolean({condition}); }})()"
        ):
            return
        page.keyboard.press("Shift+Tab")
    raise AssertionError(f"80 times Shift+Tab did not lead to {condition}")


def test_all_is_there_when_reopened(lab: Lab) -> None:
    page = lab.page("dark")
    open_notebook(page, "01")
    run_cell(page, "from lab.notebook import")
    predict(lab, page)
    run_cell(page, "%lab start 01")
    press(page, "Start")
    page.locator(".jp-OutputArea pre", has_text="runs labs/01-services").last.wait_for()
    right = LAB.pieces[0].source.read_text()
    wrong = right.replace(f"    {HEALTH}\n", f"    {HEALTH.replace('profile', 'other')}\n")
    assert wrong != right
    (LAB.folder / "api.py").write_text(wrong)
    press(page, "Check")
    failed = page.locator(".jp-OutputArea li", has_text="✗ Step 1")
    failed.first.wait_for(timeout=RUN_MS * slow())
    failed.first.scroll_into_view_if_needed()
    lab.keep(page, "panel-failed-dark")
    page.keyboard.press("Control+s")
    file = FOLDER / f"{text_of('01').stem}.ipynb"
    eventually(lambda: "You have seen the outcome" in file.read_text(), within=30, what="a saved notebook")
    menu(page, "Kernel", "Shut Down Kernel")
    page.close()
    page = lab.page("dark", again=True)
    page.locator(".jp-LauncherCard-label", has_text=re.compile(r"^01 ")).last.wait_for()
    open_notebook(page, "01")
    page.get_by_text("You have seen the outcome").wait_for()
    assert page.locator(".jp-OutputArea input[type=radio]").nth(1).is_checked()
    page.close()
