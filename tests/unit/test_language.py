"""Texts for people contain no home-made words, and the sentences of the concept pages are short."""

from pathlib import Path

import pytest
from language import Word, faults, files_in, load, python_text, reading, sentences, syllables, text_of

from lab.home import REPO

RULES = load()
READ = [file for file in files_in(REPO, RULES.reading_paths) if file.suffix == ".md"]


@pytest.mark.parametrize("path", RULES.paths)
def test_no_home_made_words(path: str) -> None:
    found = [
        fault
        for file in files_in(REPO, [path])
        for fault in faults(text_of(file), str(file.relative_to(REPO)), RULES)
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("file", READ, ids=lambda file: file.name)
def test_sentences_can_be_read_at_once(file: Path) -> None:
    measured = reading(file.read_text(encoding="utf-8"))
    assert measured.mean <= RULES.mean, f"{measured.mean} words a sentence; shorten some"
    assert measured.longest <= RULES.longest, f"{measured.longest} words: {measured.longest_at}"


@pytest.mark.parametrize("word", RULES.words, ids=lambda word: word.instead[:30])
def test_each_pattern_finds_what_it_is_for_and_nothing_else(word: Word) -> None:
    assert word.bad
    assert word.good
    for text in word.bad:
        assert word.expression.search(text), f"{word.pattern} does not find {text!r}"
    for text in word.good:
        assert not word.expression.search(text), f"{word.pattern} finds {text!r}"


def test_what_is_allowed_is_there() -> None:
    for name, part in RULES.allowed:
        text = (REPO / name).read_text(encoding="utf-8")
        assert part in text, f"{name} does not hold {part!r} any more: take it out of language.toml"


def test_planted_words_are_found_with_their_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\nKafka is\naway.\n\n```\nanew\n```\n`anew`, and made anew.\n", encoding="utf-8")
    found = [fault.split(" write:")[0] for fault in faults(text_of(page), "page.md", RULES)]
    assert found == ["page.md:9: 'anew':", "page.md:3: 'is away':"]


def test_python_is_read_in_comments_and_strings_only() -> None:
    source = '''"""The view is made
anew."""
mend = door(anew)  # mend it
said = f"Kafka is away: {anew}"
'''
    found = [fault.split(" write:")[0] for fault in faults(python_text(source), "x.py", RULES)]
    assert "x.py:2: 'anew':" in found
    assert "x.py:3: 'mend':" in found
    assert "x.py:4: 'is away':" in found
    assert not [fault for fault in found if "door" in fault]
    assert python_text(source).count("\n") == source.count("\n")


def test_a_path_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="docs/nowhere"):
        list(files_in(REPO, ["docs/nowhere"]))


def test_sentences_are_told_apart() -> None:
    text = """# A heading is none

One sentence, e.g. this. Is this another? "Yes." It has a [link. With
a stop](x.md) in it.

- An item without a stop
- Another one: `code. More code.` ends here.

| a table | is none. Never. |
|---|---|

![A picture. Not read.](x.svg)
"""
    assert [sentence for _, sentence in sentences(text)] == [
        "One sentence, e.g. this.", "Is this another?", '"Yes."', "It has a link.", "With a stop in it.",
        "An item without a stop", "Another one: Code ends here.",
    ]  # fmt: skip
    assert [line for line, _ in sentences(text)][-2:] == [6, 7]


def test_long_sentences_are_measured() -> None:
    measured = reading("Short one. " + "Word " + "word " * 59 + "end.\n")
    assert measured.sentences == 2
    assert measured.longest == 61
    assert measured.mean == 31.5


@pytest.mark.parametrize(
    ("word", "count"), [("cat", 1), ("the", 1), ("broker", 2), ("idempotent", 4), ("waited", 2), ("made", 1)]
)
def test_syllables(word: str, count: int) -> None:
    assert syllables(word) == count
