"""./lab fills .venv with uv or, where that fails, with pip, and ends what it started beside it."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from index import Index, package_index

from lab.home import REPO


@pytest.fixture
def lab() -> ModuleType:
    """Provide the script as a module of its own for each test."""
    loader = SourceFileLoader("lab_script", str(REPO / "lab"))
    spec = spec_from_loader("lab_script", loader)
    assert spec
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


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


def begin(lab: ModuleType, servers: object, tmp_path: Path, code: str) -> Path:
    """Let `code` be what is installed beside; returns the file in which it notes how it ends."""
    note = tmp_path / "note"
    package = tmp_path / "path" / "lab" / "install"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "__main__.py").write_text(f"from pathlib import Path\nnote = Path({str(note)!r})\n{code}")
    env = {**os.environ, "PYTHONPATH": str(package.parents[1])}
    servers.begin(sys.executable, env)  # type: ignore[attr-defined]
    return note


WAITS = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (note.write_text('ended'), sys.exit(1)))\n"
    "note.write_text('waits')\ntime.sleep(60)\n"
)


def until_noted(note: Path, text: str) -> None:
    deadline = time.monotonic() + 120
    while not (note.exists() and note.read_text() == text):
        assert time.monotonic() < deadline, f"{note} does not hold {text}"
        time.sleep(0.02)


def test_both_are_waited_for(lab: ModuleType, tmp_path: Path) -> None:
    with lab.servers_beside() as servers:
        note = begin(lab, servers, tmp_path, "import time\ntime.sleep(0.3)\nnote.write_text('done')\n")
    assert note.read_text() == "done"


def test_servers_that_cannot_be_installed_end_lab(lab: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended, lab.servers_beside() as servers:
        begin(lab, servers, tmp_path, "raise SystemExit(1)")
    assert ended.value.code == 1


def test_a_venv_that_cannot_be_filled_ends_the_servers_installation(lab: ModuleType, tmp_path: Path) -> None:
    def fails() -> None:
        with lab.servers_beside() as servers:
            until_noted(begin(lab, servers, tmp_path, WAITS), "waits")
            raise lab.Stop("the disk is full")

    with pytest.raises(lab.Stop, match="disk"):
        fails()
    assert (tmp_path / "note").read_text() == "ended"


def test_ctrl_c_ends_the_servers_installation(lab: ModuleType, tmp_path: Path) -> None:
    """While it is waited for, after .venv is done."""

    def interrupt() -> None:
        until_noted(tmp_path / "note", "waits")
        os.kill(os.getpid(), signal.SIGINT)

    def waits() -> None:
        with lab.servers_beside() as servers:
            begin(lab, servers, tmp_path, WAITS)
            threading.Thread(target=interrupt).start()

    # Python leaves SIGINT alone where the tests themselves run as a background job.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            waits()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "note").read_text() == "ended"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a child of its parent's death")
def test_a_killed_lab_leaves_no_installation_behind(tmp_path: Path) -> None:
    """The real installer, which waits for a lock here, ends with the process that started it."""
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # as in a background job of a script
        "child = subprocess.Popen([sys.executable, '-P', '-m', 'lab.install'], start_new_session=True)\n"
        "print(child.pid, flush=True)\nchild.wait()\n"
    )
    with (home / "install.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        parent = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LAB_HOME": str(home), "LAB_BACKEND": "native"},
        )  # fmt: skip
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert "waiting for another ./lab that installs" in parent.stdout.readline()
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 120
        while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{child}").exists()
        parent.stdout.close()


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
