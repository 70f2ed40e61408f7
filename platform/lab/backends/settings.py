"""Read platform/deployment/settings/*.env, which all backends share, and create the secrets they need."""

import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.errors import LabError
from lab.home import SETTINGS
from lab.topology import DATABASES, TASKS, database_password

SECRETS = (
    "GATEWAY_SECRET", *map(database_password, DATABASES), "SIGNING_KEY_PASSPHRASE",
    "POSTGRES_SUPERUSER_PASSWORD", "JUPYTER_TOKEN",
)  # fmt: skip


def read(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of settings/<name>.env, with ${NAME} and ${NAME:-default} replaced.

    The task that sets up the servers gets the password of each service with a database as well.
    """

    def fill(match: re.Match[str]) -> str:
        value = variables.get(match[1], match[3])
        if value is None:
            raise LabError(f"settings/{name}.env uses ${{{match[1]}}}, but this variable is not set.")
        return value

    settings = {}
    for line in (SETTINGS / f"{name}.env").read_text().splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings[key] = re.sub(r"\$\{(\w+)(:-([^}]*))?\}", fill, value)
    if name in TASKS:
        settings |= {secret: variables[secret] for secret in map(database_password, DATABASES)}
    return settings


def from_environment(names: Iterable[str]) -> dict[str, str]:
    """Return the named variables that this process has."""
    return {name: os.environ[name] for name in names if name in os.environ}


def read_pairs(file: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file; {} when there is no file.

    It is read as Compose reads `.env`: quotes around a value, `export` before a name and comments are no part
    of the value.
    """
    return dict(pair for line in _lines(file) if (pair := _pair(line)))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines() if file.exists() else []
    except UnicodeDecodeError:
        raise LabError(f"{file} is not text in UTF-8. Correct it, or move it to another place.") from None


def _pair(line: str) -> tuple[str, str] | None:
    """Return name and value of a line; None for a comment and for everything else."""
    name, equals, value = line.strip().removeprefix("export ").partition("=")
    if not equals or not name.strip() or name.startswith("#"):
        return None
    quoted = re.match(r"""\s*(["'])(.*)\1\s*(?:#.*)?$""", value)
    return name.strip(), quoted[2] if quoted else re.sub(r"(^|\s+)#.*", "", value).strip()


def ensure_secrets(file: Path) -> dict[str, str]:
    """Return the secrets in `file`; create those that are missing. Only the user may read the file."""
    stored = read_pairs(file)
    return ensure_pairs(file, {name: secrets.token_hex(24) for name in SECRETS if not stored.get(name)})


def ensure_pairs(file: Path, pairs: Mapping[str, str]) -> dict[str, str]:
    """Return all pairs of `file`; add those of `pairs` that are missing or empty, and keep all other lines.

    Only the user may read the file.
    """
    stored = read_pairs(file)
    if missing := {name: value for name, value in pairs.items() if not stored.get(name)}:
        file.parent.mkdir(parents=True, exist_ok=True)  # the first start needs the secrets before its folders
        kept = [line for line in _lines(file) if (_pair(line) or ("", ""))[0] not in missing]
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in kept)
            out.writelines(f"{name}={value}\n" for name, value in missing.items())
        new.replace(file)
    return stored | missing
