"""The small files that a person may edit: read as Compose reads them, kept when one line is added."""

from pathlib import Path

import pytest

from lab import results
from lab.backends import overrides
from lab.backends.settings import ensure_pairs, read_pairs
from lab.errors import LabError
from lab.home import REPO, Home


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"), ('A="1"', "1"), ("A='x y' # a comment", "x y"), ("export A=1", "1"), ("A = 1", "1"),
        ("A=1 # a comment", "1"), ("A=a#b", "a#b"), ("A=", ""), ("A=x=y", "x=y"), ("\ufeffA=1", "1"),
        ("A=1\r", "1"), ("# A=1", None), ("A", None), ("=1", None), ("\x00", None),
    ],
)  # fmt: skip
def test_a_line_of_the_env_file(line: str, value: str | None, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(line + "\n", encoding="utf-8", newline="")
    assert read_pairs(tmp_path / ".env").get("A") == value


def test_nothing_is_lost_when_a_line_is_added(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    mine = "# My port, because 80 is taken\nLAB_PORT_HTTP='8000'\n\nnot a pair\nTOKEN=\n"
    file.write_text(mine)
    assert ensure_pairs(file, {"TOKEN": "t", "LAB_PORT_HTTP": "9"}) == {"LAB_PORT_HTTP": "8000", "TOKEN": "t"}
    assert file.read_text() == mine.replace("TOKEN=", "TOKEN=t")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xe9\n")
    with pytest.raises(LabError, match=r"\.env is not text in UTF-8"):
        read_pairs(tmp_path / ".env")


@pytest.mark.parametrize("content", [b"LAB_CODE='x\n", b"LAB_CODE=\xff\n", b'LAB_CODE="\n'])
def test_damaged_settings_of_a_unit_are_named(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_OVERRIDES", raising=False)
    file = overrides.file(Home(tmp_path), "posts")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(LabError, match="is damaged") as said:
        overrides.read(Home(tmp_path), "posts")
    assert f"rm '{file}'" in str(said.value)


def test_results_are_in_the_repository_wherever_the_command_is_typed() -> None:
    option = results.option(lambda: None).__click_params__[0]  # type: ignore[attr-defined]
    assert option.default == REPO / "results"
