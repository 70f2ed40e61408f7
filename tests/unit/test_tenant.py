"""`--as NAME` keeps the systems of one machine apart."""

import os
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.home import REPO
from lab.tenant import NETWORKS, network, separate


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (["up", "--as", "ada"], ["up"]),
        (["--as", "ada", "check", "01", "--watch"], ["check", "01", "--watch"]),
        (["check", "--as=ada", "01"], ["check", "01"]),
    ],
)
def test_the_option_may_stand_anywhere(home: Path, given: list[str], left: list[str]) -> None:
    environment: dict[str, str] = {}
    assert separate(given, environment) == left
    assert environment["LAB_HOME"] == str(home / "as" / "ada")
    assert environment["LAB_LOOPBACK"] == network("ada", os.getuid())
    assert (home / "as" / "ada" / "servers").resolve() == home / "servers"


def test_what_follows_two_hyphens_belongs_to_another_program(home: Path) -> None:
    environment: dict[str, str] = {}
    assert separate(["test", "--", "--as", "ada"], environment) == ["test", "--", "--as", "ada"]
    assert environment == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["up", "--as"], "needs a name"),
        (["up", "--as", "a", "--as", "b"], "is given 2 times"),
        *(
            (["up", "--as", name], "a name has at most 24")
            for name in ("", "Ada", "../x", "a/b", "1a", "a" * 25, "é", "a\x1b[2J", "--help")
        ),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_written(home: Path, given: list[str], said: str) -> None:
    environment: dict[str, str] = {}
    with pytest.raises(LabError, match=said) as found:
        separate(given, environment)
    assert "\x1b" not in str(found.value)
    assert environment == {}
    assert list(home.iterdir()) == []


def test_names_and_users_have_networks_of_their_own() -> None:
    found = {network(f"learner{number}", user) for number in range(1, 31) for user in (1000, 1001)}
    assert len(found) == 60
    for base in found:
        first, second, third = map(int, base.split("."))
        assert first == 127
        assert 1 <= second <= NETWORKS
        assert 1 <= third <= NETWORKS


def test_one_system_can_be_asked_from_within_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in JupyterLab has the variables of the system that started it."""
    environment: dict[str, str] = {}
    separate(["notebook", "--as", "ada"], environment)
    monkeypatch.setenv("LAB_HOME", environment["LAB_HOME"])
    separate(["status", "--as", "bob"], environment)
    assert environment["LAB_HOME"] == str(home / "as" / "bob")
    assert environment["LAB_LOOPBACK"] == network("bob", os.getuid())


def test_addresses_that_the_user_has_set_win(home: Path) -> None:
    environment = {"LAB_LOOPBACK": "127.9.9"}
    separate(["up", "--as", "ada"], environment)
    assert environment["LAB_LOOPBACK"] == "127.9.9"


def test_the_command_shows_the_addresses_of_that_system(home: Path) -> None:
    said = subprocess.run(
        [REPO / "lab", "endpoints", "--as", "ada"],
        env={**os.environ, "LAB_HOME": str(home), "LAB_BACKEND": "native"},
        text=True, capture_output=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert f"http://{network('ada', os.getuid())}.1" in said
    assert "127.0.0." not in said
