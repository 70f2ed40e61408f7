"""The pages of the option's servers in a real browser: dashboards with values, and links in the launcher."""

import re
from collections.abc import Iterator

import pytest
from browser import Lab, jupyterlab, until
from support import Person, backend

from lab.jupyter.server import PAGES
from lab.start import added_pages

TITLES = ("Requests", "Events", "Units and objectives")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def traffic() -> None:
    person = Person()
    for _ in range(20):
        person.post()
        person.http.get("/api/activity-stream")


def test_the_launcher_links_to_the_pages(lab: Lab) -> None:
    page = lab.page()
    page.wait_for_selector(".jp-LauncherCard")
    for name in added_pages(backend):
        page.locator(".jp-LauncherCard-label", has_text=PAGES[name]).wait_for()
    lab.keep(page, "launcher-observability")
    page.close()


@pytest.mark.parametrize("title", TITLES)
def test_a_dashboard_shows_values(lab: Lab, title: str) -> None:
    page = lab.empty()
    page.set_viewport_size({"width": 1400, "height": 1400})
    page.goto(f"{backend.endpoints()['metrics']}/vmui/#/dashboards")
    page.get_by_text(title, exact=False).first.click()
    until(page, "document.body.innerText.includes('max:')", f"a panel of {title}", 60_000)
    page.wait_for_timeout(3000)
    lab.keep(page, "dashboard-" + title.split()[0].lower())
    text = page.locator("body").inner_text().lower()
    assert not re.search(r"\berror\b", text), text  # error_ratio is the name of a metric
    page.close()


def test_the_rules_are_on_the_page_of_the_alerts(lab: Lab) -> None:
    page = lab.empty()
    page.goto(backend.endpoints()["alerts"] + added_pages(backend)["alerts"])
    page.get_by_text("indicators").first.wait_for()
    page.get_by_text("burn-rates").first.wait_for()
    lab.keep(page, "alerts")
    page.close()
