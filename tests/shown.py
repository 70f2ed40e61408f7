"""The commands that the README files, the labs and the notebooks show to people."""

import re
import subprocess
from dataclasses import dataclass

from lab.home import REPO

START = r"(?:\./lab|%lab|\.venv/bin/|curl |kill -9 \$)"
PLACES = {"NN": "01", "UNIT": "posts", "FAULT": "kill", "S": "1", "F": "/dev/null", "M": "1", "NUMBER": "01",
          "SIZES": "100"}  # fmt: skip
"""What stands for something of the reader's own, and what a test takes instead."""


@dataclass(frozen=True)
class Shown:
    """A command as it is shown, and where first."""

    text: str
    file: str

    @property
    def words(self) -> list[str]:
        """The words of a ./lab command, without brackets, with placeholders filled in."""
        bare = re.sub(r"[\[\]]", " ", self.text)
        return [PLACES.get(word, word) for word in bare.split()][1:]

    @property
    def is_lab(self) -> bool:
        """Whether it is one command of ./lab and nothing else."""
        return bool(re.fullmatch(r"(\./|%)lab( [^&|;]*)?", self.text))


def shown() -> list[Shown]:
    """Each different command, by its text."""
    listed = subprocess.check_output(["git", "ls-files", "*.md"], cwd=REPO, text=True).split()
    found: dict[str, Shown] = {}
    for file in [file for file in listed if not file.startswith("docs/decisions/")]:
        text = (REPO / file).read_text(encoding="utf-8")
        fence = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
        for block in fence.findall(text):
            for line in block.splitlines():
                command = re.sub(r"^\w+ = (?=%)", "", line.split(" #")[0].strip())
                if re.match(START, command):
                    found.setdefault(command, Shown(command, file))
        for command in re.findall(rf"`({START}[^`]*)`", fence.sub("", text)):
            tidy = " ".join(command.split())
            found.setdefault(tidy, Shown(tidy, file))
    return sorted(found.values(), key=lambda command: command.text)
