"""Archives of submissions: written with nothing else of the machine, and read with distrust."""

import json
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.classroom import archive, course_file, submit
from lab.classroom.submission import FORMAT, KIND, LARGEST_ARCHIVE, LARGEST_FILE, Refused, Submission
from lab.course.exercise import exercise
from lab.errors import LabError
from lab.home import REPO, Home

API = "labs/01-services/api.py"


def manifest(**changed: object) -> bytes:
    facts: dict[str, object] = {"kind": KIND, "format": FORMAT, "name": "Ada", "made": "2026-11-30T04:00:00Z"}
    return json.dumps(facts | changed).encode()


def packed(tmp_path: Path, parts: Mapping[str, bytes], name: str = "a.zip") -> Path:
    file = tmp_path / name
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for part, content in parts.items():
            made.writestr(zipfile.ZipInfo(part), content, zipfile.ZIP_DEFLATED)
    return file


def good(**changed: object) -> dict[str, bytes]:
    return {"manifest.json": manifest(**changed), API: b"x = 1\n"}


def refusal(file: Path) -> str:
    found = archive.read(file)
    assert isinstance(found, Refused), found
    assert found.archive == file.name
    return found.why


def link(tmp_path: Path) -> Path:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("manifest.json", manifest())
        member = zipfile.ZipInfo(API)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    return file


def encrypted(tmp_path: Path) -> Path:
    """A ZIP file whose headers mark each member as encrypted."""
    content = bytearray(packed(tmp_path, good()).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 4)
    file = tmp_path / "a.zip"
    file.write_bytes(content)
    return file


def lying(tmp_path: Path) -> Path:
    """A ZIP file that states a small size for a large member."""
    big = b"0" * (LARGEST_FILE * 8)
    content = packed(tmp_path, {**good(), API: big}).read_bytes()
    file = tmp_path / "a.zip"
    file.write_bytes(content.replace(len(big).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    return file


def twice(tmp_path: Path) -> Path:
    file = packed(tmp_path, good())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as made:
        made.writestr(API, b"x = 2\n")
    return file


def text(content: bytes) -> Callable[[Path], Path]:
    def write(tmp_path: Path) -> Path:
        (tmp_path / "a.zip").write_bytes(content)
        return tmp_path / "a.zip"

    return write


def with_parts(**parts: bytes) -> Callable[[Path], Path]:
    return lambda tmp_path: packed(tmp_path, good() | parts)


def described(**changed: object) -> Callable[[Path], Path]:
    return lambda tmp_path: packed(tmp_path, good(**changed))


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (text(b""), "is empty"),
    "no archive": (text(b"print('hello')\n" * 9), "not a ZIP archive"),
    "cut off": (lambda p: text(packed(p, good()).read_bytes()[:-40])(p), "not a ZIP archive"),
    "nothing in it": (lambda p: packed(p, {}), "contains nothing"),
    "too large": (text(b"x" * (LARGEST_ARCHIVE + 1)), "an archive may have"),
    "parent folder": (with_parts(**{"labs/../../evil.py": b""}), "leaves the archive"),
    "absolute": (with_parts(**{"/etc/passwd": b""}), "absolute"),
    "drive": (with_parts(**{"C:/windows/x": b""}), "absolute"),
    "backslash": (with_parts(**{"labs\\..\\x": b""}), "absolute"),
    "link": (link, "link"),
    "encrypted": (encrypted, "encrypted"),
    "unknown file": (with_parts(**{"checks/conftest.py": b""}), "does not belong"),
    "solution of another course": (with_parts(**{"labs/01-services/other.py": b""}), "does not belong"),
    "bomb": (with_parts(**{API: b"0" * (LARGEST_FILE + 1)}), "more than"),
    "lying about its size": (lying, "damaged|more than"),
    "many files": (lambda p: packed(p, {f"labs/{n}": b"" for n in range(200)}), "200 files"),
    "the same name twice": (twice, "twice"),
    "no manifest": (lambda p: packed(p, {API: b""}), "no manifest"),
    "no lab": (lambda p: packed(p, {"manifest.json": manifest()}), "no file of a lab"),
    "manifest is no JSON": (with_parts(**{"manifest.json": b"{"}), "not JSON"),
    "manifest is a list": (with_parts(**{"manifest.json": b"[]"}), "not a JSON object"),
    "deep JSON": (with_parts(**{"record.json": b"[" * 200_000}), "not JSON"),
    "other kind": (described(kind="thesis"), "does not describe a submission"),
    "later format": (described(format=99), "version 99"),
    "format is a truth": (described(format=True), "version True"),
    "no name": (described(name=" "), "name is not a text"),
    "name with controls": (described(name="a\x1b[2J"), "name is not a text"),
    "long name": (described(name="a" * 200), "name is not a text"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archive_is_refused_with_a_reason(kind: str, tmp_path: Path) -> None:
    make, why = HOSTILE[kind]
    assert re.search(why, refusal(make(tmp_path)))


def test_folder_tells_apart_two_with_the_same_name_and_follows_no_link(tmp_path: Path) -> None:
    packed(tmp_path, good(), "a.zip")
    packed(tmp_path, good(), "b.zip")
    (tmp_path / "c.zip").symlink_to("/etc/passwd")
    (tmp_path / "results").mkdir()
    first, second, third = archive.read_folder(tmp_path)
    assert isinstance(first, Submission)
    assert isinstance(second, Submission)
    assert (first.name, first.id) != (second.name, second.id)
    assert first.name == second.name
    assert isinstance(third, Refused)
    assert "not a plain file" in third.why


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.root.mkdir()
    facts: dict[str, Any] = {
        "01": {"outcome": "fail", "seed": 7, "mine": True, "verdicts": [
            {"check": "test_x", "title": "x", "lab": "01", "outcome": "fail", "points": 1, "seconds": 0.1,
             "lines": [["saw", f"an error in {REPO}/labs and in {made.root}/stack"]], "step": 1}]},
        "02": {"outcome": "pass"},
    }  # fmt: skip
    (made.root / "progress.json").write_text(json.dumps(facts))
    (made.root / "predictions.json").write_text(json.dumps({"How many?": {"mine": "b", "choice": "two"}}))
    return made


@pytest.fixture
def written() -> Any:
    """A learner who has written lab 01; the starters are put back."""
    pieces = exercise("01").pieces
    before = [piece.file.read_bytes() for piece in pieces]
    for piece in pieces:
        piece.file.write_bytes(piece.source.read_bytes())
    yield
    for piece, content in zip(pieces, before, strict=True):
        piece.file.write_bytes(content)


@pytest.mark.usefixtures("written")
def test_submit_writes_an_archive_that_is_read_back(home: Home, tmp_path: Path) -> None:
    made = submit.submit(home, course_file.read(None), "  Ada Lovelace ", tmp_path / "out")
    found = archive.read(made.file)
    assert isinstance(found, Submission)
    assert (found.name, found.remarks) == ("Ada Lovelace", ())
    assert found.files[API.removeprefix("labs/")] == exercise("01").pieces[0].source.read_bytes()
    assert found.record["01"]["seed"] == 7
    assert "02" not in found.record
    assert found.predictions["How many?"]["mine"] == "b"
    with zipfile.ZipFile(made.file) as there:
        everything = b"".join(there.read(name) for name in there.namelist())
        assert {*there.namelist()} == {*made.members}
    assert str(REPO).encode() not in everything
    assert str(home.root).encode() not in everything


def test_submit_refuses_untouched_starters_and_unfit_names(home: Home, tmp_path: Path) -> None:
    whole = course_file.read(None)
    course = replace(whole, labs=whole.labs[1:2])
    with pytest.raises(LabError, match="nothing to submit"):
        submit.submit(home, course, "Ada", tmp_path)
    with pytest.raises(LabError, match="printable"):
        submit.submit(home, course, "\n", tmp_path)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.usefixtures("written")
def test_jupyterlab_writes_the_archive_where_the_list_of_files_shows_it(home: Home, tmp_path: Path) -> None:
    from lab.jupyter import submission

    answer = submission.written(home, "Ada", tmp_path)
    assert answer["members"][:3] == ["manifest.json", "record.json", "predictions.json"]  # type: ignore[index]
    assert "lab 01" in str(answer["labs"])
    assert submission.FOLDER == REPO / "notebooks"
    assert isinstance(archive.read(Path(str(answer["path"]))), Submission)
