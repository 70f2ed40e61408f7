"""Move the images of Compose files and Dockerfiles to the newest patch of their line.

A publisher's tag without its last number is that line: `redis:7.4.5-bookworm` becomes `redis:7.4-bookworm`,
and `postgres:15.14-bookworm` becomes `postgres:15-bookworm`. The weekly run tries what the next tags bring,
before a person changes a tag.

    python .github/scripts/newest_patches.py docker-compose.yml platform/deployment/Dockerfile
"""

import re
import sys
from pathlib import Path

WITHOUT_LINES = {"apache/kafka": "publishes full versions only", "civildiy-lab": "is built here",
                 "civildiy-lab-jupyter": "is built here"}  # fmt: skip
"""Images that stay as they are, and why."""
IMAGE = re.compile(
    r"^(?P<before>\s*(?:image:|FROM)\s+)(?P<name>[\w./-]+):(?P<tag>[\w.-]+)(?P<after>.*)$", re.MULTILINE
)
VERSION = re.compile(r"^(?P<line>v?\d+(?:\.\d+)*)\.\d+(?P<variant>-.*)?$")


def line_of(tag: str) -> str:
    """Return the tag of the line, without the last number. A tag of another form is returned as it is."""
    found = VERSION.match(tag)
    return f"{found['line']}{found['variant'] or ''}" if found else tag


def moved(text: str) -> str:
    """Return the text with every image on its line."""

    def change(found: re.Match[str]) -> str:
        tag = found["tag"] if found["name"] in WITHOUT_LINES else line_of(found["tag"])
        return f"{found['before']}{found['name']}:{tag}{found['after']}"

    return IMAGE.sub(change, text)


def main(files: list[str]) -> None:
    """Rewrite the files and print each change."""
    for file in map(Path, files):
        before = file.read_text()
        after = moved(before)
        file.write_text(after)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
            if old != new:
                print(f"{file}: {old.split()[1]} -> {new.split()[1]}")


if __name__ == "__main__":
    main(sys.argv[1:])
