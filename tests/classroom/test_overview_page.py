"""The overview in Chromium, with thirty simulated learners, garbage, a flood, and a collector that is killed.

LAB_KEEP_PICTURES=1 writes the screenshots to docs/pictures/.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from browser import PICTURES, SIZE
from class_of_learners import HOSTILE, progress
from class_of_learners import home as learner
from playwright.sync_api import Browser, Page, expect
from support import eventually

from lab.classroom import sharing
from lab.home import REPO, Home
from lab.probes import local_http

pytestmark = pytest.mark.campaign
LEARNERS = 30
PATIENCE_MS = 20_000
MOST_GROWTH = 60_000_000
"""Bytes that the collector may grow by during a flood."""


@contextmanager
def listening(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run `./lab class listen` until the end of the block."""
    command = [
        sys.executable, "-P", "-m", "lab", "class", "listen", "--port", str(port), "--no-browser",
    ]  # fmt: skip
    env = {**os.environ, "LAB_HOME": str(home)}
    with subprocess.Popen(command, cwd=REPO, env=env, stdout=subprocess.PIPE, text=True) as running:
        eventually(lambda: answers(port), within=30, what="the collector to answer")
        yield running
        running.terminate()
        running.wait(20)


def answers(port: int) -> bool:
    return local_http.get(f"http://127.0.0.1:{port}/", timeout=2).status_code == 403


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def known(home: Path) -> tuple[str, str]:
    """Return the page's address and the join code."""
    found = json.loads((home / "class-listening.json").read_text())
    return found["page"], found["joining"].split()[4]


def opened(browser: Browser, url: str, scheme: str, faults: list[str]) -> Page:
    context = browser.new_context(
        viewport={"width": SIZE[0], "height": SIZE[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "requestfailed",
        lambda request: faults.append(request.url) if "127.0.0.1" not in request.url else None,
    )
    page.goto(url)
    return page


def keep(page: Page, name: str, tmp: Path) -> None:
    page.evaluate("scrollTo(0, 0)")
    folder = PICTURES if os.environ.get("LAB_KEEP_PICTURES") else tmp
    page.screenshot(path=folder / f"{name}.png")


def flood(url: str, code: str, seed: int) -> set[int]:
    """Send garbage, huge bodies, wrong codes and hostile names; return the answers' codes."""
    chance, seen = random.Random(seed), set()
    with local_http.client(timeout=20) as http:
        for _ in range(60):
            body = chance.choice([b"", b"\xff" * 99, b"[" * 50_000, b"x" * 3_000_000, b'{"labs":{"01":7}}'])
            try:
                seen.add(http.put(f"{url}/members/{chance.randint(0, 9)}", content=body).status_code)
                sent = {"code": chance.choice([code, "AAAAAA"]), "name": HOSTILE * 9}
                seen.add(http.post(f"{url}/members", json=sent).status_code)
            except httpx.TransportError:
                continue  # a refused body ends the connection
    return seen


def test_a_class_of_thirty(browser: Browser, tmp_path: Path) -> None:
    home, port = tmp_path / "instructor", free_port()
    faults: list[str] = []
    homes = [Home(learner(tmp_path / str(number), number)) for number in range(LEARNERS)]
    with listening(home, port) as first:
        url, code = known(home)
        page = opened(browser, url, "light", faults)
        expect(page.get_by_text("Nobody has joined yet.")).to_be_visible()
        where = f"127.0.0.1:{port}"
        with ThreadPoolExecutor(8) as pool:
            names = [f"Learner {number:02}" for number in range(LEARNERS)]
            joins = pool.map(
                lambda made: sharing.join(made[0], where, code, made[1]), zip(homes, names, strict=True)
            )
            assert [made.name for made in joins] == names
        rows = page.locator(".people tbody tr")
        expect(rows).to_have_count(LEARNERS)  # without a reload
        assert "key=" not in page.url
        _sections_are_right(page, homes)
        _layout_is_right(page)
        keep(page, "class-overview", tmp_path)
        dark = opened(browser, url, "dark", faults)
        expect(dark.locator(".people tbody tr")).to_have_count(LEARNERS)
        background = dark.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", background)[:3])) < 150
        dark.screenshot(path=tmp_path / "class-overview-dark.png")
        dark.context.close()

        page.locator("#answers details summary").first.click()
        page.locator("#hide").check()
        expect(page.get_by_text("Learner 00")).not_to_be_visible()
        page.locator("#hide").uncheck()
        _a_pass_appears(page, homes[0])
        expect(page.locator("#answers details").first).to_have_attribute("open", "")

        memory = psutil.Process(first.pid).memory_info().rss
        with ThreadPoolExecutor(6) as pool:
            codes = set().union(*pool.map(lambda seed: flood(f"http://{where}", code, seed), range(6)))
        assert codes <= {201, 401, 403, 413, 429, 503}, codes
        assert 429 in codes
        assert psutil.Process(first.pid).memory_info().rss - memory < MOST_GROWTH
        expect(page.get_by_text("Learner 29")).to_be_visible()
        assert page.title() == "Class overview"

        first.send_signal(signal.SIGKILL)
        first.wait(10)
        expect(page.locator("#state.lost")).to_contain_text("No answer since")
        expect(page.get_by_text("Learner 29")).to_be_visible()  # what was known stays
        assert "was not updated" in sharing.after_check(homes[1])
    with listening(home, port):
        expect(page.locator("#state.lost")).to_have_count(0)
        expect(page.get_by_text("Learner 29")).to_be_visible()
        _a_pass_appears(page, homes[1])
        expect(page.locator("#answers details").first).to_have_attribute("open", "")
        assert page.title() == "Class overview"
    assert not faults
    page.context.close()


def _sections_are_right(page: Page, homes: list[Home]) -> None:
    """Compare what the page shows with what the learners' files contain."""
    written = [json.loads((home.root / "progress.json").read_text()) for home in homes]
    passes = sum(list(lab["steps"].values()).count("pass") for labs in written for lab in labs.values())
    expect(page.locator("#content")).to_contain_text(f"Steps passed: {passes}.")
    expect(page.locator("td.pass")).to_have_count(passes)
    expect(page.locator("svg.line .data")).to_have_count(1)
    worst = page.locator("#troubles summary").first
    failing = [
        {v["check"] for lab in labs.values() for v in lab["verdicts"] if v["outcome"] == "fail"}
        for labs in written
    ]
    most = max(sum(check in each for each in failing) for check in set().union(*failing))
    expect(worst).to_contain_text(f"{most} people")
    worst.click()
    expect(page.locator("#troubles details[open] li").first).to_contain_text("means this.")
    guesses = [json.loads((home.root / "predictions.json").read_text()) for home in homes]
    shown = page.locator("#answers details")
    expect(shown).to_have_count(len({question for each in guesses for question in each}))
    shown.first.locator("summary").click()
    numbers = shown.first.locator("td:last-child").all_inner_texts()
    question = shown.first.inner_text()
    mine = [each for each in guesses if any(text in question for text in each)]
    assert sum(map(int, numbers)) == len(mine)
    shown.first.locator("summary").click()
    worst.click()


def _layout_is_right(page: Page) -> None:
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0


def _a_pass_appears(page: Page, home: Home) -> None:
    """Let a learner pass every step of lab 03, and wait until the page shows it without a reload."""
    before = page.locator("td.pass").count()
    written = progress(random.Random(0))
    steps = {str(step): "pass" for step in range(1, 5)}
    written["03"] = {
        "steps": steps,
        "mine": True,
        "points": 4,
        "of": 4,
        "when": "2026-11-30 10:00:00",
        "verdicts": [],
    }
    (home.root / "progress.json").write_text(json.dumps(written))
    assert sharing.after_check(home) == ""
    page.wait_for_function(f"() => document.querySelectorAll('td.pass').length !== {before}")
