"""The environment of programs that ./lab starts, without what a user has set for other programs.

A verdict must be the same on every machine. A filter in PYTEST_ADDOPTS, asserts removed by PYTHONOPTIMIZE,
a proxy or a locale would change it. Installing (pip, apt-get, Go, Maven) keeps the user's own environment,
because it needs proxies and certificates.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab.home import REPO

FOREIGN = re.compile(
    r"PYTEST_.*|PYTHON.*|__PYVENV_LAUNCHER__|COV_CORE_.*|COVERAGE_.*|HYPOTHESIS_.*"
    r"|COLUMNS|LINES|TERM|NO_COLOR|FORCE_COLOR|PY_COLORS|CLICOLOR.*|TTY_.*"
    r"|LANG|LANGUAGE|LC_.*|TZ"
    r"|(HTTP|HTTPS|ALL|FTP|NO|WS|WSS)_PROXY|SSL_CERT_.*|SSLKEYLOGFILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NETRC"
    r"|CONSUL_HTTP_.*|CONSUL_.*TOKEN.*|KAFKA_OPTS|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|CLASSPATH"
    r"|PG[A-Z]+|MONGO.*|REDIS.*|TRAEFIK_.*|PC_.*|PROC_COMP_.*|BASH_ENV|ENV",
    re.IGNORECASE,
)
"""Names of variables that no check, service or server sees."""
OUR_OWN = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "80", "TERM": "dumb",
           "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}  # fmt: skip


def own(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a check, a service or a server: the user's, without the FOREIGN names."""
    variables = os.environ if variables is None else variables
    kept = {name: value for name, value in variables.items() if not FOREIGN.fullmatch(name)}
    if not _is_folder(kept.get("TMPDIR", "")):
        kept.pop("TMPDIR", None)
    return kept | OUR_OWN


def forget_python() -> None:
    """Remove the variables of Python and pytest from the environment of this process and its children."""
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "PYTHON"))]:
        del os.environ[name]
    if not _is_folder(os.environ.get("TMPDIR", "")):
        os.environ.pop("TMPDIR", None)
        tempfile.tempdir = None


def open_standard_streams() -> None:
    """Open /dev/null in place of each standard stream that is closed.

    Otherwise the next file that is opened gets its number, and what a child process prints goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free


def _is_folder(name: str) -> bool:
    """Return whether the name is a folder in which files can be created."""
    return bool(name) and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK)


def pytest_command() -> list[str]:
    """Return the command that runs pytest on the course's own files, without anybody else's configuration."""
    return [
        sys.executable, "-P", "-s", "-m", "pytest", "-c", str(REPO / "pyproject.toml"), f"--rootdir={REPO}",
    ]  # fmt: skip


def handed_on() -> dict[str, str]:
    """Return the environment for a ./lab that a notebook starts: 80 columns, and no colours in its output.

    Proxies and certificates stay, because `%lab up` may install.
    """
    foreign = ("PYTEST_", "PYTHON", "FORCE_COLOR", "CLICOLOR", "PY_COLORS", "TTY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"COLUMNS": "80", "TERM": "dumb", "PYTHONUTF8": "1"}
