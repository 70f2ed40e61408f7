"""Read Markdown documents: their links, pictures, anchors, bold terms, and the glossary's entries.

The functions find what a test then judges. They know as much Markdown as these documents use: `#`
headings, fenced blocks, inline code, inline links and pictures.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
BOLD = re.compile(r"\*\*([^*]+?)\*\*")
OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


@dataclass(frozen=True)
class Link:
    """A link or a picture: where it stands, what it shows, and where it leads."""

    line: int
    text: str
    target: str
    is_picture: bool


@dataclass(frozen=True)
class Entry:
    """A term of the glossary, and its other names."""

    term: str
    anchor: str
    names: frozenset[str]


def without_code(text: str) -> str:
    """`text` with the content of code blanked, so that every other character keeps its place."""

    def blank(code: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", code[0])

    return CODE.sub(blank, FENCE.sub(blank, text))


def line_of(text: str, position: int) -> int:
    """Number of the line, from 1, in which `position` is."""
    return text.count("\n", 0, position) + 1


def links(text: str) -> Iterator[Link]:
    """Yield all links and pictures outside code. The picture inside a link is found as well."""
    prose = without_code(text)
    for found in LINK.finditer(prose):
        where = line_of(prose, found.start())
        yield Link(where, text[slice(*found.span(2))], found[3], bool(found[1]))
        for inner in LINK.finditer(found[2]):
            yield Link(where, inner[2], inner[3], bool(inner[1]))


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    shown = LINK.sub(lambda link: link[2], heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")


@cache
def anchors(text: str) -> frozenset[str]:
    """Return all anchors of a document: its headings, numbered when they repeat, and its `<a id>`."""
    bare = FENCE.sub("", text)
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", bare))
    seen: dict[str, int] = {}
    for _, heading in HEADING.findall(bare):
        name = slug(heading)
        count = seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{count}" if count else name)
    return frozenset(found)


def broken_links(file: Path, root: Path, beside: Path | None = None) -> Iterator[str]:
    """Describe each wrong link of `file` to a place inside the repository at `root`.

    `beside` is a file that is generated from `file` and has the same links, if that is elsewhere.
    """
    for link in links(file.read_text(encoding="utf-8")):
        where = f"{file.relative_to(root)}:{link.line}"
        if link.is_picture and not link.text.strip():
            yield f"{where}: the picture {link.target} has no alt text; say in it what the picture shows"
        if OUTSIDE.match(link.target):
            continue
        path, _, anchor = link.target.partition("#")
        target = ((beside or file).parent / unquote(path)).resolve() if path else file.resolve()
        if not target.is_relative_to(root.resolve()):
            yield f"{where}: {link.target} leads out of the repository"
        elif not target.exists() and not _made_from_text(target):
            yield f"{where}: there is no {link.target}"
        elif anchor and (target.suffix != ".md" or anchor not in anchors(target.read_text("utf-8"))):
            yield f"{where}: {path or file.name} has no heading with the anchor #{anchor}"


def _made_from_text(target: Path) -> bool:
    """Tell whether `target` is a learner's notebook, which `./lab notebook` makes from its text."""
    return target.suffix == ".ipynb" and (target.parent / "text" / f"{target.stem}.md").exists()


def glossary(text: str) -> Sequence[Entry]:
    """Return the entries of the glossary: a `###` heading each; 'Also: x, y.' lists further names."""
    parts = re.split(r"^### +(.+)$", text, flags=re.MULTILINE)[1:]
    found = []
    for term, body in zip(parts[::2], parts[1::2], strict=True):
        also = re.search(r"\bAlso: ([^.]+)\.", body)
        names = [term, *(also[1].split(",") if also else ())]
        found.append(Entry(term, slug(term), frozenset(normal(name) for name in names)))
    return found


def glossary_faults(entries: Sequence[Entry]) -> Iterator[str]:
    """Terms that are out of the alphabet's order, and names that occur twice."""
    for before, after in pairwise(entries):
        if before.term.casefold() > after.term.casefold():
            yield f"'{after.term}' stands after '{before.term}': sort the entries"
    owner: dict[str, str] = {}
    for entry in entries:
        for name in sorted(entry.names):
            if name in owner:
                yield f"'{name}' is explained twice: under '{owner[name]}' and under '{entry.term}'"
            owner.setdefault(name, entry.term)


def normal(term: str) -> str:
    """Return a term as it is compared: small letters, single spaces, no full stop."""
    return " ".join(term.casefold().split()).rstrip(".:")


def entry_of(term: str, entries: Mapping[str, Entry]) -> Entry | None:
    """Return the entry of a term, which may stand in the plural. `entries` has each by all its names."""
    name = normal(term)
    return entries.get(name) or (entries.get(name.removesuffix("s")) if name.endswith("s") else None)


def bold_term_faults(text: str, entries: Sequence[Entry]) -> Iterator[str]:
    """Bold terms that the glossary lacks, or that do not lead to their entry in it.

    `**…**` marks a term, also across the end of a line; `__…__` is emphasis and no term.
    """
    by_name = {name: entry for entry in entries for name in entry.names}
    prose = without_code(text)
    led_to = {(normal(link.text.strip("*")), link.target.rpartition("/")[2]) for link in links(text)}
    for found in BOLD.finditer(prose):
        where, term = line_of(prose, found.start()), " ".join(found[1].split())
        entry = entry_of(term, by_name)
        if entry is None:
            yield f"{where}: '{term}' is not in docs/glossary.md; add it, or stress with __…__"
        elif (normal(term), f"glossary.md#{entry.anchor}") not in led_to:
            yield f"{where}: '{term}' should lead to glossary.md#{entry.anchor}"
