"""The preflight of a room names what is missing, and checks the archive of a class without a network."""

import hashlib
import io
import json
import socket
import tarfile
from pathlib import Path

import pytest

from lab.classroom import bundle, room
from lab.finding import Finding
from lab.home import Home

WHEEL = "nice-1.0-py3-none-any.whl"
OTHER = "native-2.0-cp27-cp27m-win32.whl"


def archive(file: Path, wheels: dict[str, bytes], images: list[str]) -> Path:
    """Write an archive as `./lab bundle` does."""
    with tarfile.open(file, "w") as made:
        for name, content in wheels.items():
            _add(made, f"wheels/{name}", content)
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as saved:
            _add(saved, "manifest.json", json.dumps([{"RepoTags": images}]).encode())
        _add(made, "images.tar", inner.getvalue())
    return file


def _add(made: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    made.addfile(member, io.BytesIO(content))


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = hashlib.sha256(b"nice").hexdigest()
    native = hashlib.sha256(b"native").hexdigest()
    file = tmp_path / "lab.lock"
    file.write_text(
        f"nice==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{good}\n    # via x\n"
        f"only-there==3 ; sys_platform == 'nowhere' \\\n    --hash=sha256:{good}\n"
        f"native==2.0 \\\n    --hash=sha256:{native}\n"
    )
    monkeypatch.setattr(bundle, "LOCK", file)
    monkeypatch.setattr(bundle, "images", lambda: ["docker.io/library/redis:8", "traefik:3"])


def findings(file: Path | None) -> dict[str, Finding]:
    return {finding.what: finding for finding in bundle.examine(file)}


@pytest.mark.usefixtures("lock")
def test_what_a_bundle_lacks_is_named(tmp_path: Path) -> None:
    whole = {WHEEL: b"nice", "native-2.0-py3-none-any.whl": b"native"}
    found = findings(archive(tmp_path / "good.tar", whole, ["redis:8", "docker.io/library/traefik:3"]))
    assert found["images in the bundle"] == Finding("images in the bundle", "2 of 2 images")
    assert found["packages in the bundle"].remedy == ""
    # The right content for another Python, and the right name with another content.
    found = findings(archive(tmp_path / "bad.tar", {WHEEL: b"evil", OTHER: b"native"}, ["redis:8"]))
    assert "missing: traefik:3" in found["images in the bundle"].remedy
    assert "missing: nice 1.0, native 2.0" in found["packages in the bundle"].remedy


@pytest.mark.usefixtures("lock")
@pytest.mark.parametrize("content", [b"", b"no archive", b"\0" * 2048])
def test_an_archive_that_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.tar"
    file.write_bytes(content)
    assert any(finding.remedy for finding in findings(file).values())


def test_no_archive_is_no_fault_unless_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert findings(None)["bundle"].remedy == ""
    assert "there is no" in findings(tmp_path / "gone.tar")["bundle"].remedy


def test_the_lock_file_of_the_course_is_understood() -> None:
    found = bundle.pinned(bundle.LOCK.read_text(encoding="utf-8"))
    names = [each.name for each in found]
    assert len(names) == len(set(names)) > 120
    assert "numpy" in names
    assert "appnope" not in names  # only for another system
    assert all(each.hashes for each in found)


def test_a_room_that_is_too_small_is_told_what_it_needs(tmp_path: Path) -> None:
    found = {finding.what: finding for finding in room.examine(Home(tmp_path), 400, None)}
    assert "this class needs 561 GB" in found["memory for the class"].remedy
    assert "at most 4 learners a core" in found["processor for the class"].remedy
    assert "free 600 GB" in found["disk for the class"].remedy
    one = {finding.what: finding for finding in room.examine(Home(tmp_path), 1, None)}
    assert one["processor for the class"].remedy == ""
    assert "for 1 system" in one["processor for the class"].seen


def test_a_taken_port_is_told() -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, "PORT", taken)
            assert "is not free" in room._port().seen
            assert "--port" in room._port().remedy


def test_a_clock_before_the_courses_files_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.classroom.room.time.time", lambda: 1_000_000.0)
    assert "earlier than the files" in next(room._clock()).seen
