"""Find the learner's file behind an error that the platform's code raised when it called the learner's."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType


def culprit(tb: TracebackType, source: str, files: Mapping[str, Path]) -> tuple[str, int] | None:
    """Return the learner's file, and the line in it, that binds a name used in the last line of a traceback.

    `source` is that line, and `files` maps the learner's modules to their files. The line is 0 if it was not
    found. None: the line uses no name of these modules, so the error may come from any of them.
    """
    while tb.tb_next:
        tb = tb.tb_next
    words = re.findall(r"[^\W\d]\w*", source)
    found = [
        (name, _line_of(word, files[name])) for word, name in _owners(tb.tb_frame.f_globals, words, files)
    ]
    # Another module may only import the name; its file has no line that binds it.
    name, line = next((one for one in found if one[1]), found[0] if found else ("", 0))
    return (str(files[name]), line) if name else None


def _owners(
    own: Mapping[str, object], words: list[str], files: Mapping[str, Path]
) -> Iterator[tuple[str, str]]:
    """Yield each word that is the learner's, with its module: first the one that the value itself names."""
    for place, word in enumerate(words):
        if word not in own:
            continue
        value = own[word]
        if isinstance(value, ModuleType):  # module.name
            if value.__name__ in files and place + 1 < len(words):
                yield words[place + 1], value.__name__
            continue
        holders = [name for name in files if name in sys.modules and _holds(sys.modules[name], own, word)]
        home = getattr(value, "__module__", None)
        yield from ((word, name) for name in sorted(holders, key=lambda name: name != home))


def _holds(module: ModuleType, own: Mapping[str, object], word: str) -> bool:
    names = vars(module)
    return names is not own and word in names and names[word] is own[word]


def _line_of(word: str, file: Path) -> int:
    binds = re.compile(rf"\s*(?:(?:async )?def |class ){word}\b|{word}\b\s*[:=]")
    with suppress(OSError):
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if binds.match(line):
                return number
    return 0
