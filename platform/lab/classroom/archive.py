"""Read a submission's archive. It comes from a stranger, so all that is unknown in it is refused.

The archive is read into memory, and nothing is extracted to the disk. Sizes are counted while reading, as
a ZIP file states its own sizes and may lie.
"""

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lab.classroom.submission import (
    FORMAT,
    KIND,
    LARGEST_ARCHIVE,
    LARGEST_FILE,
    LARGEST_JSON,
    LONGEST_NAME,
    MANIFEST,
    PREDICTIONS,
    RECORD,
    Refused,
    Submission,
    course_version,
    known_files,
)
from lab.text import shortened, visible

MOST_MEMBERS = 100
AGAIN = "Ask for a new archive, made with ./lab submit."


class Unfit(Exception):
    """Raised for an archive that cannot be judged; the text says why, as a sentence."""


def read(file: Path) -> Submission | Refused:
    """Return the submission in `file`, or why it is refused. Never raises for what the file contains."""
    name = ""
    digest = hashlib.sha256(file.name.encode(errors="surrogateescape"))
    try:
        content = _content(file)
        digest.update(content)
        parts = _parts(file)
        manifest = _manifest(parts)
        name = str(manifest["name"])
        return _made(digest.hexdigest()[:12], file.name, manifest, parts)
    except Unfit as error:
        return Refused(digest.hexdigest()[:12], file.name, name, f"{error} {AGAIN}")


def _content(file: Path) -> bytes:
    """Return the bytes of the file, which must be a plain file of a reasonable size."""
    try:
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise Unfit("It is not a plain file.")
        if found.st_size > LARGEST_ARCHIVE:
            raise Unfit(f"It has {found.st_size:,} bytes; an archive may have {LARGEST_ARCHIVE:,}.")
        if not found.st_size:
            raise Unfit("It is empty.")
        return file.read_bytes()
    except OSError as error:
        raise Unfit(f"It cannot be read: {error.strerror}.") from None


def _parts(file: Path) -> dict[str, bytes]:
    """Return the content of each member by name."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if not members:
                raise Unfit("The archive contains nothing.")
            if len(members) > MOST_MEMBERS:
                raise Unfit(f"It contains {len(members):,} files; an archive may have {MOST_MEMBERS}.")
            for member in members:
                _refuse_member(member)
            if len({member.filename for member in members}) < len(members):
                raise Unfit("It contains the same file name twice.")
            return {member.filename: _bytes(archive, member) for member in members if not member.is_dir()}
    except zipfile.BadZipFile:
        raise Unfit("It is not a ZIP archive, or it is damaged.") from None
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise Unfit(f"The archive is damaged ({shortened(error, 80)}).") from None


def _refuse_member(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    shown = visible(shortened(name, 60))
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name:
        raise Unfit(f"It contains a file with an absolute or foreign path: {shown}.")
    if ".." in PurePosixPath(name).parts:
        raise Unfit(f"It contains a path that leaves the archive: {shown}.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Unfit(f"It contains a link or a special file: {shown}.")
    if member.flag_bits & 0x1:
        raise Unfit("It is encrypted.")
    if not member.is_dir() and name not in _largest():
        raise Unfit(f"It contains a file that does not belong to a submission: {shown}.")


def _largest() -> dict[str, int]:
    """Return the largest size of each file that may be in an archive."""
    sizes = dict.fromkeys((MANIFEST, RECORD, PREDICTIONS), LARGEST_JSON)
    return sizes | {f"labs/{name}": LARGEST_FILE for name in known_files()}


def _bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    largest = _largest()[member.filename]
    with archive.open(member) as source:
        content = source.read(largest + 1)
    if len(content) > largest:
        raise Unfit(f"{visible(member.filename)} has more than {largest:,} bytes.")
    return content


def _manifest(parts: Mapping[str, bytes]) -> dict[str, Any]:
    if MANIFEST not in parts:
        raise Unfit(f"It has no {MANIFEST}.")
    found = _json(parts, MANIFEST)
    if found.get("kind") != KIND:
        raise Unfit(f"Its {MANIFEST} does not describe a submission of this course.")
    if found.get("format") != FORMAT or isinstance(found.get("format"), bool):
        raise Unfit(
            f"Its format is version {visible(shortened(found.get('format'), 20))}; this ./lab reads version"
            f" {FORMAT}."
        )
    name = found.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise Unfit(f"Its name is not a text of 1 to {LONGEST_NAME} printable characters.")
    return found


def _json(parts: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        found = json.loads(parts.get(name, b"{}").decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unfit(f"Its {name} is not JSON in UTF-8.") from None
    if not isinstance(found, dict):
        raise Unfit(f"Its {name} is not a JSON object.")
    return found


def _made(id: str, archive: str, manifest: dict[str, Any], parts: Mapping[str, bytes]) -> Submission:
    files = {name.removeprefix("labs/"): text for name, text in parts.items() if name.startswith("labs/")}
    if not files:
        raise Unfit("It contains no file of a lab.")
    said = manifest.get("versions")
    versions = {visible(k)[:40]: visible(v)[:80] for k, v in said.items()} if isinstance(said, dict) else {}
    remarks = []
    if versions.get("course") != course_version():
        remarks.append("The archive was made with another version of the course.")
    return Submission(
        id, archive, manifest["name"].strip(), visible(manifest.get("made", ""))[:40],
        visible(manifest.get("course", ""))[:200], files, _json(parts, RECORD), _json(parts, PREDICTIONS),
        versions, tuple(remarks),
    )  # fmt: skip


def read_folder(folder: Path) -> list[Submission | Refused]:
    """Return every submission in a folder by file name. Hidden files and folders are skipped."""
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    return [read(file) for file in files if file.is_symlink() or not file.is_dir()]
