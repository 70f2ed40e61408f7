"""./lab fills .venv with uv or, where that fails, with pip."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from index import Index, package_index
from lab_script import load

from lab.home import REPO


@pytest.fixture
def lab() -> ModuleType:
    return load()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    with package_index() as found:
        for name, value in (("INDEX_URL", found.url), ("RETRIES", "0"), ("NO_CACHE_DIR", "1"),
                            ("CONFIG_FILE", "/dev/null")):  # fmt: skip
            monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv("UV_NO_CACHE", "1")
        yield found


def lock(file: Path, index: Index, *names: str, content: bytes = b"#!/bin/sh\nexit 3\n") -> Path:
    """Return a lock file with packages that the index offers."""
    wheels = [index.offer(name, "1.0", content) for name in names]
    file.write_text("".join(f"{w.package}=={w.version} --hash=sha256:{w.sha256}\n" for w in wheels))
    return file


@pytest.fixture(scope="module")
def empty_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(folder, with_pip=True)
    return folder


def fill(lab: ModuleType, empty_venv: Path, folder: Path) -> str:
    shutil.copytree(empty_venv, folder, symlinks=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        env = dict(os.environ)
        how: str = lab.fill(folder, folder / "bin" / "python", env, folder / "install.log", descriptor)
        return how
    finally:
        os.close(descriptor)


def test_pip_does_it_where_uv_fails(
    lab: ModuleType, index: Index, empty_venv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also over what uv left half done: pip would take a package with metadata for a good one."""
    half = (
        "#!/bin/sh\nfor site in $(dirname $0)/../lib/python3*/site-packages; do\n"
        "mkdir $site/tool-1.0.dist-info\n"
        "printf 'Name: tool\\nVersion: 1.0\\n' > $site/tool-1.0.dist-info/METADATA\ndone; exit 3\n"
    )
    lab.__dict__["UV_LOCK"] = lock(tmp_path / "uv.lock", index, "uv", content=half.encode())
    lab.__dict__["LOCK_FILE"] = lock(tmp_path / "lab.lock", index, "tool", content=b"#!/bin/sh\necho whole\n")
    assert fill(lab, empty_venv, tmp_path / "venv") == "pip"
    assert "pip installs them now" in capsys.readouterr().out
    tool = subprocess.run([tmp_path / "venv" / "bin" / "tool"], capture_output=True, text=True, check=True)
    assert tool.stdout == "whole\n"


def test_neither_uv_nor_pip_takes_another_file(
    lab: ModuleType, index: Index, empty_venv: Path, tmp_path: Path
) -> None:
    lab.__dict__["UV_LOCK"] = lock(tmp_path / "uv.lock", index, "uv")
    lab.__dict__["LOCK_FILE"] = lock(tmp_path / "lab.lock", index, "tool")
    index.offer("tool", "1.0", b"altered")
    with pytest.raises(lab.Stop, match="HASHES"):
        fill(lab, empty_venv, tmp_path / "venv")
    assert not (tmp_path / "venv" / "bin" / "tool").exists()


UV = REPO / ".venv" / "bin" / "uv"


@pytest.mark.skipif(not UV.exists(), reason="this .venv was filled by pip")
@pytest.mark.parametrize("altered", [False, True])
def test_uv_compares_hashes_and_asks_the_index_of_pip(
    altered: bool, lab: ModuleType, index: Index, empty_venv: Path, tmp_path: Path
) -> None:
    runs = f'#!/bin/sh\nexec {UV} "$@"\n'.encode()
    lab.__dict__["UV_LOCK"] = lock(tmp_path / "uv.lock", index, "uv", content=runs)
    lab.__dict__["LOCK_FILE"] = lock(tmp_path / "lab.lock", index, "tool", content=b"#!/bin/sh\necho whole\n")
    if altered:
        index.offer("tool", "1.0", b"altered")
        with pytest.raises(lab.Stop, match="HASHES"):
            fill(lab, empty_venv, tmp_path / "venv")
        assert "Hash mismatch" in (tmp_path / "venv" / "install.log").read_text()
    else:
        assert fill(lab, empty_venv, tmp_path / "venv") == "uv"
        assert (tmp_path / "venv" / "bin" / "tool").exists()


def test_settings_of_pip_are_settings_of_uv(
    lab: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://one/simple\ncert = /a.pem\nproxy = http://proxy:1\n"
        "extra-index-url =\n    https://two/simple\n    https://three/simple\n"
        "[install]\nindex-url = https://four/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "four")
    options, settings = lab.uv_settings(sys.executable, dict(os.environ))
    assert options == [
        "--default-index", "https://four/simple", "--index", "https://two/simple", "--index",
        "https://three/simple", "--allow-insecure-host", "four", "--index-strategy", "unsafe-best-match",
    ]  # fmt: skip
    assert settings == {
        "SSL_CERT_FILE": "/a.pem",
        "HTTP_PROXY": "http://proxy:1",
        "HTTPS_PROXY": "http://proxy:1",
    }
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine/simple")
    assert "--default-index" not in lab.uv_settings(sys.executable, dict(os.environ))[0]


def test_the_installer_needs_no_package() -> None:
    """It runs before .venv has any: -S leaves site-packages out."""
    code = f"import sys; sys.path.insert(0, {str(REPO / 'platform')!r}); import lab.install.__main__"
    subprocess.run([sys.executable, "-S", "-P", "-c", code], check=True)


def test_uv_is_locked_with_hashes() -> None:
    text = (REPO / "requirements" / "uv.lock").read_text()
    assert text.startswith("uv==")
    assert text.count("--hash=sha256:") > 5
    assert "://" not in text
    assert len(hashlib.sha256().hexdigest()) == len(text.split("sha256:")[1].split()[0])
