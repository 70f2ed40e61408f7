"""Links in documents work, pictures are described, and every term is in the glossary."""

import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from documents import bold_term_faults, broken_links, glossary, glossary_faults, links, slug

from lab.home import REPO

TERMS_IN = ("docs/concepts/*.md", "notebooks/text/0[0-9]-*.md")
"""Texts in which `**bold**` means a term: add those that have been rewritten."""
CONCEPTS = sorted((REPO / "docs" / "concepts").glob("*.md"))
GLOSSARY = glossary((REPO / "docs" / "glossary.md").read_text(encoding="utf-8"))
PICTURES = sorted((REPO / "docs" / "concepts" / "pictures").glob("*.svg"))


def documents() -> list[Path]:
    """Return every document whose links are checked, as committed or about to be."""
    named = ("docs", "README.md", "labs/*/README.md", "labs/*/instructor.md")
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *named], cwd=REPO, text=True
    )
    return [REPO / name for name in listed.split("\n") if name.endswith(".md") and (REPO / name).exists()]


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(REPO)))
def test_links_resolve_and_pictures_are_described(file: Path) -> None:
    assert list(broken_links(file, REPO)) == []


def test_glossary_is_sorted_and_explains_each_name_once() -> None:
    assert list(glossary_faults(GLOSSARY)) == []
    assert len(GLOSSARY) >= 120


@pytest.mark.parametrize(
    "file", [file for glob in TERMS_IN for file in sorted(REPO.glob(glob))], ids=lambda file: file.stem
)
def test_bold_terms_lead_to_the_glossary(file: Path) -> None:
    assert list(bold_term_faults(file.read_text(encoding="utf-8"), GLOSSARY)) == []


def test_every_concept_is_in_the_index_and_has_a_picture() -> None:
    index = {link.target for link in links((REPO / "docs" / "concepts" / "README.md").read_text("utf-8"))}
    shown = set()
    for file in CONCEPTS:
        if file.name != "README.md":
            assert file.name in index
            drawn = [link.target for link in links(file.read_text("utf-8")) if link.is_picture]
            assert drawn, f"{file.name} has no picture"
            shown.update(drawn)
    assert {f"pictures/{picture.name}" for picture in PICTURES} == shown


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_pictures_are_described_and_stand_on_a_light_card(file: Path) -> None:
    picture = ElementTree.parse(file).getroot()
    inside = {part.tag.rpartition("}")[2]: part for part in reversed(list(picture))}
    assert (inside["title"].text or "").strip()
    assert (inside["desc"].text or "").strip()
    # A card of its own keeps it readable on a dark page.
    card = inside["rect"].attrib
    assert card["fill"] == "#ffffff"
    assert float(card["width"]) > float(picture.attrib["width"]) - 2
    # Colour is never the only cue: what fails is dashed as well.
    for part in picture.iter():
        if part.attrib.get("stroke") == "#a00000":
            assert "stroke-dasharray" in part.attrib


PLANTED = """# A page
See [this](other.md), [that](other.md#here), [none](missing.md), [nowhere](other.md#there),
![](picture.svg), ![a picture](gone.svg), [out](../../secret.md), [web](https://example.org/none),
[up](#a-page), [down](#another) and [![](picture.svg)](other.md). `[code](nothing.md)`
```
[in a block](nothing.md)
```
"""


def test_planted_link_faults_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PLANTED, encoding="utf-8")
    (tmp_path / "other.md").write_text("# Other\n\n## Here\n", encoding="utf-8")
    (tmp_path / "picture.svg").write_text("<svg/>", encoding="utf-8")
    assert list(broken_links(page, tmp_path)) == [
        "page.md:2: there is no missing.md",
        "page.md:2: other.md has no heading with the anchor #there",
        "page.md:3: the picture picture.svg has no alt text; say in it what the picture shows",
        "page.md:3: there is no gone.svg",
        "page.md:3: ../../secret.md leads out of the repository",
        "page.md:4: page.md has no heading with the anchor #another",
        "page.md:4: the picture picture.svg has no alt text; say in it what the picture shows",
    ]


def test_planted_glossary_faults_are_found() -> None:
    entries = glossary("### lag\n\nOld. Also: delay.\n\n### index\n\nA number.\n\n### Delay\n\nLate.\n")
    assert list(glossary_faults(entries)) == [
        "'index' stands after 'lag': sort the entries",
        "'Delay' stands after 'index': sort the entries",
        "'delay' is explained twice: under 'lag' and under 'Delay'",
    ]


def test_planted_bold_terms_are_found() -> None:
    entries = glossary("### consumer group\n\nMany. Also: group.\n")
    text = """A [**consumer
group**](../glossary.md#consumer-group), [**Groups.**](../glossary.md#consumer-group), __no term__,
`**code**`, **group**, [**group**](../glossary.md#offset), and a **new
word**."""
    assert list(bold_term_faults(text, entries)) == [
        "3: 'group' should lead to glossary.md#consumer-group",
        "3: 'group' should lead to glossary.md#consumer-group",
        "3: 'new word' is not in docs/glossary.md; add it, or stress with __…__",
    ]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("kill -9", "kill--9"),
        ("KEYS and ARGV", "keys-and-argv"),
        ("Was it `send`?", "was-it-send"),
        ("[A link](x.md) in it", "a-link-in-it"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor
