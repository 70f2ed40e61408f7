"""Find home-made words in the texts that people read, and measure how long their sentences are.

`.venv/bin/python tests/language.py [PATH …]` prints both for any file or folder of the repository.
"""

import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from documents import FENCE, HEADING, LINK, line_of, without_code

RULES = Path(__file__).parent / "unit" / "language.toml"
READABLE = (".md", ".py", ".toml", ".txt", ".lua", ".yml", ".yaml", ".env", ".html")


END = re.compile(r"([.!?][\")*_”]*) (?=[\"“(*_]*[A-Z0-9/])")
"""The end of a sentence, before the beginning of the next one."""


@dataclass(frozen=True)
class Word:
    """A word to avoid, and what to write in its place."""

    pattern: str
    instead: str
    why: str
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    expression: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        spaced = self.pattern.replace(" ", r"\s+")
        # A look-behind has a fixed width.
        spaced = re.sub(r"\(\?<[=!][^)]*\)", lambda part: part[0].replace(r"\s+", r"\s"), spaced)
        object.__setattr__(self, "expression", re.compile(spaced, re.IGNORECASE))


@dataclass(frozen=True)
class Rules:
    """The rules of language.toml."""

    paths: tuple[str, ...]
    words: tuple[Word, ...]
    allowed: tuple[tuple[str, str], ...]
    reading_paths: tuple[str, ...]
    mean: float
    longest: int


@dataclass(frozen=True)
class Reading:
    """How hard a text is: words per sentence, and Flesch's reading ease (60 and more is plain English)."""

    sentences: int
    mean: float
    longest: int
    longest_at: str
    ease: float


def load(file: Path = RULES) -> Rules:
    """Return the rules. Raises KeyError when a word lacks its replacement or its reason."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    words = tuple(
        Word(w["pattern"], w["instead"], w["why"], tuple(w["bad"]), tuple(w["good"])) for w in table["word"]
    )
    allowed = tuple((a["file"], a["line"]) for a in table.get("allow", []))
    reading = table["reading"]
    return Rules(
        tuple(table["paths"]), words, allowed, tuple(reading["paths"]), reading["mean"], reading["longest"]
    )


def files_in(root: Path, paths: Sequence[str]) -> Iterator[Path]:
    """Yield the readable files under `paths`. Raises FileNotFoundError for a path that does not exist."""
    for path in paths:
        place = root / path
        if not place.exists():
            raise FileNotFoundError(f"language.toml lists {path}, which does not exist")
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from (file for file in inside if file.suffix in READABLE and not _made(file.relative_to(root)))


def _made(file: Path) -> bool:
    """Return whether a file lies in a folder that a program makes, such as __pycache__ or labs/.mutants."""
    return not {"__pycache__", ".mutants", ".ipynb_checkpoints"}.isdisjoint(file.parts)


def text_of(file: Path) -> str:
    """Return what a person reads in `file`; everything else is blank, so that lines keep their numbers."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        return python_text(text)
    return without_code(text) if file.suffix == ".md" else text


def python_text(source: str) -> str:
    """Comments and strings of Python source, each character at its place."""
    lines = [list(re.sub(r"[^\n]", " ", line)) for line in source.splitlines(keepends=True)]
    original = source.splitlines(keepends=True)
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in kinds:
            continue
        (first, begin), (last, end) = token.start, token.end
        for row in range(first, last + 1):
            start = begin if row == first else 0
            stop = end if row == last else len(original[row - 1])
            lines[row - 1][start:stop] = original[row - 1][start:stop]
    # The marks of strings and comments are no part of a sentence.
    return re.sub(r"[\"'](?=[\"'\s])|(?<=\s)[rbfu]?[\"']+|#", lambda mark: " " * len(mark[0]), _join(lines))


def _join(lines: Sequence[Sequence[str]]) -> str:
    return "".join("".join(line) for line in lines)


def faults(text: str, name: str, rules: Rules) -> Iterator[str]:
    """Yield each word to avoid in `text`, as 'file:line', the word, and what to write."""
    lines = text.splitlines() or [""]
    for word in rules.words:
        for found in word.expression.finditer(text):
            begin = found.start() + len(found[0]) - len(found[0].lstrip())
            number = line_of(text, begin)
            if any(file == name and part in lines[number - 1] for file, part in rules.allowed):
                continue
            shown = " ".join(found[0].split())[:60]
            yield f"{name}:{number}: '{shown}': write: {word.instead} ({word.why})"


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs and list items of a Markdown text, each with the number of its first line."""
    shown = FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    shown = HEADING.sub("", shown)
    shown = re.sub(r"^\|.*$", "", shown, flags=re.MULTILINE)
    position = 1
    for block in re.split(r"(\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) ))", shown):
        words = re.sub(r"^\s*(?:[-*>]|\d+\.)\s+", "", block)
        words = LINK.sub(lambda link: "" if link[1] else link[2], words)
        words = re.sub(r"`[^`]*`", "Code", words)
        if words.strip():
            yield position + len(block) - len(block.lstrip("\n")), " ".join(words.split())
        position += block.count("\n")


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a Markdown text. An item of a list ends one, with or without a full stop."""
    for line, block in prose(text):
        for sentence in END.sub(r"\1\n", block).split("\n"):
            if re.search(r"\w", sentence):
                yield line, sentence


def words_in(sentence: str) -> list[str]:
    """Return the words of a sentence; a hyphen joins, a dash divides."""
    return re.findall(r"[\w']+(?:[-./][\w']+)*", sentence)


def syllables(word: str) -> int:
    """Return about how many syllables an English word has: groups of vowels, without a silent e."""
    bare = re.sub(r"(?<=[^aeiouyl])e$|e(?=d$)(?<![td]e)", "", word.casefold())
    return max(1, len(re.findall(r"[aeiouy]+", bare)))


def reading(text: str) -> Reading:
    """Length of the sentences, and Flesch's reading ease: 206.8 - 1.015 words a sentence - 84.6 syllables."""
    measured = [(line, words_in(sentence), sentence) for line, sentence in sentences(text)]
    measured = [found for found in measured if found[1]]
    if not measured:
        return Reading(0, 0.0, 0, "", 100.0)
    every = [word for _, words, _ in measured for word in words]
    line, words, sentence = max(measured, key=lambda found: len(found[1]))
    per_sentence = len(every) / len(measured)
    ease = 206.835 - 1.015 * per_sentence - 84.6 * mean(syllables(word) for word in every)
    return Reading(
        len(measured), round(per_sentence, 1), len(words), f"line {line}: {sentence}", round(ease, 1)
    )


def main(paths: Sequence[str]) -> int:
    """Print faults and measures; the exit code is 1 when there are faults."""
    rules, root = load(), Path(__file__).parents[1]
    found = 0
    for file in files_in(root, paths or rules.paths):
        name = str(file.relative_to(root))
        for fault in faults(text_of(file), name, rules):
            found += 1
            print(fault)
        if file.suffix == ".md":
            of = reading(file.read_text(encoding="utf-8"))
            lengths = f"{of.sentences} sentences, {of.mean} words each, longest {of.longest}"
            print(f"{name}: {lengths}, ease {of.ease:.0f}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
