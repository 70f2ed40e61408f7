"""A learner hands in from JupyterLab's launcher, in a real browser."""

from pathlib import Path

import pytest
from browser import Lab

from lab.classroom import archive
from lab.classroom.submission import Submission
from lab.course.exercise import exercise
from lab.home import REPO

pytestmark = pytest.mark.campaign


def test_card_makes_an_archive_lists_it_and_downloads_it(lab: Lab, tmp_path: Path) -> None:
    piece = exercise("01").pieces[0]
    before = piece.file.read_bytes()
    piece.file.write_bytes(piece.source.read_bytes())
    made: list[Path] = []
    page = lab.page()
    try:
        page.locator(".jp-LauncherCard", has_text="Submit your work").click()
        page.locator(".jp-Dialog input").fill("Ada Lovelace")
        page.get_by_role("button", name="Make the archive").click()
        dialog = page.locator(".jp-Dialog", has_text="Your archive")
        dialog.wait_for()
        said = dialog.inner_text()
        assert "labs/01-services/api.py" in said
        assert "notebooks/ada-lovelace-" in said
        made = [*(REPO / "notebooks").glob("ada-lovelace-*.zip")]
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        download.value.save_as(tmp_path / "mine.zip")
        found = archive.read(tmp_path / "mine.zip")
        assert isinstance(found, Submission)
        assert found.name == "Ada Lovelace"
        assert found.files["01-services/api.py"] == piece.source.read_bytes()
    finally:
        page.close()
        piece.file.write_bytes(before)
        for file in made:
            file.unlink()
