"""Answers of container engines: recordings, or derived from recordings and public reports (`source`)."""

import json
from dataclasses import replace
from pathlib import Path

from lab.backends.compose.kinds import Engine, Host, recognise

FOLDER = Path(__file__).parent / "unit" / "engines"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))


def recorded(name: str) -> Engine:
    """Return the engine of a recording, as `engine.look()` would return it on that machine."""
    found = json.loads((FOLDER / f"{name}.json").read_text())
    seen = recognise(found["info"], found["version"], Host(**found["host"]), found["endpoint"])
    return replace(seen, compose=found["compose"], buildx=found["buildx"])
