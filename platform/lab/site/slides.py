"""Make slides from Markdown in Marp's syntax: one page for each lesson, which needs nothing else.

The subset: a front matter with `marp: true` and `title`, slides divided by `---`, comments as speaker notes,
and `<!-- _class: NAME -->`. So the same files can also be opened with Marp. A deck is one HTML file with its
pictures inside; a second file has the slides beside their notes.
"""

import base64
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.home import REPO
from lab.site import style

SOURCES = REPO / "docs" / "instructor" / "slides"
FENCE = re.compile(r"^(```|~~~)")
COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
CLASS = re.compile(r"_class:\s*([\w -]+)")
PICTURE = re.compile(r'<img([^>]*?)src="([^"]+)"')
MARK = ".made-by-lab-slides"

WEB = Path(__file__).with_name("web")


@dataclass(frozen=True)
class Slide:
    """One slide: its Markdown, its class, and what the speaker says."""

    text: str
    kind: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Deck:
    """The slides of one lesson."""

    file: Path
    title: str
    slides: list[Slide] = field(default_factory=list)


def read(file: Path) -> Deck:
    """Return the deck in a file. Raises LabError for one that is not in Marp's syntax."""
    text = file.read_text(encoding="utf-8")
    head = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    facts = dict(re.findall(r"^(\w+):\s*(.+)$", head[1], re.MULTILINE)) if head else {}
    if not head or facts.get("marp") != "true" or "title" not in facts:
        raise LabError(
            f"{file} has no slides: it must begin with a front matter that has `marp: true` and a title."
        )
    return Deck(file, facts["title"].strip("\"'"), [_slide(part) for part in _parts(text[head.end() :])])


def _parts(text: str) -> list[str]:
    """Divide a text at the lines `---` outside of blocks of code."""
    parts, fence = [""], ""
    for line in text.splitlines(keepends=True):
        if found := FENCE.match(line):
            fence = "" if fence == found[1] else fence or found[1]
        if line.strip() == "---" and not fence:
            parts.append("")
        else:
            parts[-1] += line
    return parts


def _slide(part: str) -> Slide:
    kinds = ""
    notes: list[str] = []
    for comment in COMMENT.findall(part):
        found = CLASS.fullmatch(comment.strip())
        kinds, notes = (found[1], notes) if found else (kinds, [*notes, comment.strip()])
    return Slide(COMMENT.sub("", part).strip(), kinds, "\n\n".join(notes))


def build(target: Path, sources: Path = SOURCES) -> list[Path]:
    """Write all decks into a folder; return the pages. Raises LabError."""
    files = sorted(sources.glob("[0-9][0-9]-*.md"))
    if not files:
        raise LabError(f"There are no slides in {sources}. Restore them: git checkout -- '{sources}'")
    if target.exists() and not (target / MARK).exists() and (not target.is_dir() or any(target.iterdir())):
        raise LabError(
            f"{target} exists, and ./lab class slides did not make it, so nothing was written."
            " Name another folder: ./lab class slides FOLDER"
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / MARK).touch()
    decks = [read(file) for file in files]
    pages = [target / "index.html"]
    for deck in decks:
        for name, text in (
            (f"{deck.file.stem}.html", _deck(deck)),
            (f"{deck.file.stem}-notes.html", _notes(deck)),
        ):
            (target / name).write_text(text, encoding="utf-8")
            pages.append(target / name)
    pages[0].write_text(_index(decks), encoding="utf-8")
    return pages


def _deck(deck: Deck) -> str:
    slides = "".join(_section(deck, number) for number in range(len(deck.slides)))
    return _page(
        deck.title, f'<main class="deck" tabindex="-1">{slides}</main><script>{_file("slides.js")}</script>'
    )


def _notes(deck: Deck) -> str:
    from lab.site.pages import markdown  # imports Jupyter

    rows = "".join(
        f"<article>{_section(deck, number)}<div>{markdown(slide.notes)}</div></article>"
        for number, slide in enumerate(deck.slides)
    )
    return _page(f"Notes: {deck.title}", f'<div class="notes"><h1>{html.escape(deck.title)}</h1>{rows}</div>')


def _section(deck: Deck, number: int) -> str:
    from lab.site.pages import markdown

    slide = deck.slides[number]
    body = PICTURE.sub(lambda found: _inside(deck, found), markdown(slide.text))
    place = f"{deck.file.stem[:2]} · {number + 1}/{len(deck.slides)}"
    return (
        f'<section class="slide {html.escape(slide.kind)}"><div class="inner">{body}</div>'
        f'<div class="place">{place}</div></section>'
    )


def _inside(deck: Deck, found: re.Match[str]) -> str:
    """Put a picture into the page, so that a deck is one file."""
    picture = (deck.file.parent / html.unescape(found[2])).resolve()
    kinds = {".svg": "svg+xml", ".png": "png"}
    if not picture.is_relative_to(REPO) or not picture.exists() or picture.suffix not in kinds:
        raise LabError(f"{deck.file} shows {found[2]}, which is not an SVG or PNG file of this repository.")
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<img{found[1]}src="data:image/{kinds[picture.suffix]};base64,{data}"'


def _index(decks: list[Deck]) -> str:
    rows = "".join(
        f'<li><a href="{deck.file.stem}.html">{html.escape(deck.title)}</a> ({len(deck.slides)} slides), '
        f'<a href="{deck.file.stem}-notes.html">with notes</a></li>'
        for deck in decks
    )
    return _page("Slides", f'<div class="notes"><h1>Slides</h1><ul>{rows}</ul></div>')


def _file(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style.sheet()}{_file('slides.css')}</style></head><body>{body}</body></html>\n"
    )
