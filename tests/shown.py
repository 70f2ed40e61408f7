"""Find the commands that the README files, the documents, the labs and the notebooks show."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from lab.home import REPO

OURS = r"(?:\./lab|%lab|\.venv/bin/[\w-]+|\./[\w./-]+)"
PROGRAMS = (
    "apt|apt-get|awk|bash|cat|chmod|cp|curl|docker|docker-compose|echo|export|for|git|go|grep|head|java|jq|"
    "jupyter|kafka-topics|kill|killall|lab|ln|ls|lsof|make|mkdir|mongosh|mv|mvn|mypy|npm|npx|nft|openssl|pip|"
    "pip3|pkill|process-compose|psql|pytest|python|python3|redis-cli|rm|ruff|sed|sh|sleep|source|ss|sudo|tail|"
    "tar|time|timeout|touch|unzip|watch|wget|while|wrk|xargs"
)
"""What makes a piece of code in running text a command. In a block of its own every line is one."""
START = re.compile(rf"(?:[A-Z_]+=\S* )*(?:{OURS}(?= |$)|(?:{PROGRAMS}) )")
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SHELLS = ("", "sh", "bash", "shell", "console")
PICTURE = re.compile(r"[\u2190-\u21ff\u2500-\u25ff]")
PLACES = {"NN": "01", "UNIT": "posts", "FAULT": "kill", "S": "1", "F": "/dev/null", "M": "1", "NUMBER": "01",
          "SIZES": "100", "N": "1", "POST_ID": "a" * 24, "TRACE_ID": "a" * 32}  # fmt: skip
"""Placeholders in shown commands, and the values that a test uses for them."""


@dataclass(frozen=True)
class Shown:
    """A shown command, and the first place that shows it."""

    text: str
    file: str

    @property
    def words(self) -> list[str]:
        """The words of a ./lab command, without brackets and with its placeholders replaced."""
        bare = re.sub(r"[\[\]]", " ", self.text)
        words = shlex.split(bare) if '"' in bare else bare.split()
        return [PLACES.get(word, word) for word in words][1:]

    @property
    def is_lab(self) -> bool:
        """Whether it is one command of ./lab and nothing else."""
        return bool(re.fullmatch(r"(\./|%|)lab( [^&|;]*)?", self.text))


def shown() -> list[Shown]:
    """Return each different command, by its text."""
    listed = subprocess.check_output(["git", "ls-files", "*.md"], cwd=REPO, text=True).split()
    found: dict[str, Shown] = {}
    for file in listed:
        for command in commands_in((REPO / file).read_text(encoding="utf-8")):
            found.setdefault(command, Shown(command, file))
    return sorted(found.values(), key=lambda command: command.text)


def commands_in(text: str) -> Iterator[str]:
    """Yield every command of one document, in its blocks first."""
    for _, language, block in FENCE.findall(text):
        if language.startswith("python"):
            cells = re.findall(r"^\s*(?:\w+ = )?(%lab .*|!.*)$", block, re.MULTILINE)
            yield from (cell.removeprefix("!").strip() for cell in cells)
        elif language in SHELLS and not PICTURE.search(block):
            yield from _lines(block)
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        tidy = " ".join(code.split())
        if START.match(tidy):
            yield tidy


def _lines(block: str) -> Iterator[str]:
    """Yield the commands of a block: each line is one, unless the shell needs the following lines, too."""
    command = ""
    for line in block.splitlines():
        bare = re.sub(r"(^|\s+)#.*$", "", line).removeprefix("$ ").rstrip()
        command = f"{command}\n{bare}".strip()
        if command and subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode == 0:
            yield command
            command = ""
    if command:
        yield command
