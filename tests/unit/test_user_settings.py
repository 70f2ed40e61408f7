"""What a user chooses for the services reaches them; what a shell has set for other programs does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.backends import user_settings
from lab.backends.native import started
from lab.backends.native.backend import NativeBackend
from lab.backends.settings import SECRETS, read
from lab.errors import LabError
from lab.home import PLATFORM, SETTINGS, Home

FOREIGN = {
    "LOG_LEVEL": "debug", "HOST_REDIS": "10.0.0.9", "PORT_SERVICES": "9", "KAFKA_LOG_DIRS": "/x",
    "TRAEFIK_LOG_LEVEL": "x", "MONGODB_OPTIONS": "x", "JUPYTER_TOKEN": "mine", "GATEWAY_SECRET": "x",
}  # fmt: skip
OURS = {
    "PATH": "/bin",
    "LAB_NETWORK": "172.30.42",
    "DOCKER_HOST": "x",
    "HTTPS_PROXY": "x",
    "CORS_ORIGINS": "x",
}


SECRET = dict.fromkeys(SECRETS, "x")


def test_compose_sees_no_variable_of_other_programs() -> None:
    assert user_settings.without_foreign(FOREIGN | OURS) == OURS
    assert user_settings.without_foreign(dict.fromkeys(SECRETS, "x")) == {}


def test_origins_reach_the_services_on_the_native_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://app.example.org")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    settings = read("common", NativeBackend(Home(tmp_path)).variables())
    assert settings["CORS_ORIGINS"] == "https://app.example.org"
    assert settings["LOG_LEVEL"] == "INFO"


def test_wrong_origins_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://app.example.org/page")
    with pytest.raises(LabError, match=r"CORS_ORIGINS.*/page' is not an origin"):
        NativeBackend(Home(tmp_path)).refuse_wrong_settings()


def test_other_origins_than_those_of_the_running_system_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack" / "run").mkdir(parents=True)
    started.note(Home(tmp_path))
    started.refuse_other(Home(tmp_path))
    monkeypatch.setenv("CORS_ORIGINS", "https://app.example.org")
    with pytest.raises(LabError, match=r"CORS_ORIGINS is https://app\.example\.org now and was not set then"):
        started.refuse_other(Home(tmp_path))


@pytest.mark.parametrize("wrong", ["0", "33", "six", "-1", "6.0", "٣", "9" * 60])
def test_a_wrong_number_of_partitions_is_refused(wrong: str) -> None:
    with pytest.raises(LabError, match="a whole number from 1 to 32"):
        user_settings.refuse_wrong({"LAB_PARTITIONS": wrong})


def test_the_number_of_partitions_reaches_the_topic() -> None:
    user_settings.refuse_wrong({"LAB_PARTITIONS": "6"})
    assert read("provision", SECRET | user_settings.chosen({"LAB_PARTITIONS": "6"}))["PARTITIONS"] == "6"
    assert read("provision", SECRET | user_settings.chosen({}))["PARTITIONS"] == "1"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOG_LEVEL", "loud", "LOG_LEVEL: must be 'DEBUG', 'INFO'"),
        ("SERVICE_PORT", "0", "SERVICE_PORT: must be"), ("SERVICE_PORT", "70000", "SERVICE_PORT: must be"),
        ("CORS_ORIGINS", "*", "CORS_ORIGINS: '*' is not an"),
        ("GATEWAY_SECRET", "short", "GATEWAY_SECRET: at least 16"),
        ("LOG_LEVEL", "info", "CONSUL_HOST: is not set"),
    ],
)  # fmt: skip
def test_a_service_names_each_wrong_variable(name: str, value: str, said: str) -> None:
    env = {key: kept for key, kept in os.environ.items() if key in ("PATH", "HOME")}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "civildiy", "posts"], cwd=PLATFORM,
        env=env | {"PYTHONPATH": str(PLATFORM), name: value}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert said in ran.stderr, ran.stderr
    assert ("LOG_LEVEL" in ran.stderr) == (value == "loud")


def test_the_names_are_those_of_the_settings() -> None:
    """A name that no file uses any more would only hide a user's variable."""
    used = "".join(file.read_text() for file in SETTINGS.glob("*.env"))
    assert [name for name in user_settings.CHOSEN if f"${{{name}" not in used] == []
