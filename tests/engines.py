"""Answers of container engines: recorded, or made from recordings and public reports (see `source`)."""

import json
from dataclasses import replace
from pathlib import Path

from lab.backends.compose.kinds import Engine, Host, recognise

FOLDER = Path(__file__).parent / "unit" / "engines"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))


def recorded(name: str) -> Engine:
    """The engine of a recording, as `engine.look()` would see it on the machine of the recording."""
    found = json.loads((FOLDER / f"{name}.json").read_text())
    seen = recognise(found["info"], found["version"], Host(**found["host"]), found["endpoint"])
    return replace(seen, compose=found["compose"], buildx=found["buildx"])
