"""What a learner has reached so far. A convenience: a check computes it anew at any time."""

import json
from typing import Any

from lab.home import Home


class Record:
    """The file `progress.json` in the lab's home; deleting it loses nothing but the list."""

    def __init__(self, home: Home) -> None:
        self._file = home.root / "progress.json"
        self._data: dict[str, dict[str, Any]] = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        entries = found if isinstance(found, dict) else {}
        return {number: lab for number, lab in entries.items() if isinstance(lab, dict)}

    def of(self, number: str) -> dict[str, Any]:
        """What is known of one lab; empty at first."""
        return self._data.get(number, {})

    def note(self, number: str, **facts: Any) -> None:
        """Keep facts about one lab."""
        self._data = self._read()  # another ./lab may have written meanwhile
        self._data.setdefault(number, {}).update(facts)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._data, indent=1), encoding="utf-8")
        new.replace(self._file)
