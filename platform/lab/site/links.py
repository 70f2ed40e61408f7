"""Where a file of the repository is found in the site, and links that lead from page to page."""

import html
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from lab.home import REPO

COPIED = {".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp"}
LINK = re.compile(r'\b(href|src)="([^"]*)"')
HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.DOTALL)
HIDDEN = {".git", ".venv", "results", ".env"}
"""Parts of a path that the site never shows, whatever a page links to."""


def source_of(target: str, page: Path, repo: Path = REPO) -> tuple[Path, str] | None:
    """The file or folder that a link on a page leads to, and the anchor; None if it leaves the repository."""
    parts = urlsplit(html.unescape(target))
    if parts.scheme or parts.netloc or target.startswith("/"):
        return None
    file = page if not parts.path else Path(os.path.normpath(page.parent / unquote(parts.path)))
    if not file.is_relative_to(repo) or HIDDEN & {*file.relative_to(repo).parts}:
        return None
    if file.suffix == ".ipynb" and file.parent == repo / "notebooks":
        file = file.parent / "reference" / file.name  # a learner's copy is not part of the site
    return (file, parts.fragment) if file.exists() or is_notebook(file, repo) else None


def is_notebook(file: Path, repo: Path = REPO) -> bool:
    """Whether a file is a notebook of the course, executed or not yet."""
    text = repo / "notebooks" / "text" / f"{file.stem}.md"
    return file.suffix == ".ipynb" and file.parent == repo / "notebooks" / "reference" and text.exists()


def place_of(file: Path, repo: Path = REPO) -> PurePosixPath:
    """The path in the site of a file or folder of the repository."""
    path = PurePosixPath(file.relative_to(repo).as_posix())
    if file.suffix == ".ipynb":
        return PurePosixPath("notebooks") / f"{path.stem}.html"
    if file.suffix == ".md":
        return path.with_suffix(".html")
    if file.suffix.lower() in COPIED:
        return path
    return path / "index.html" if file.is_dir() else path.with_name(f"{path.name}.html")


def resolved(file: Path) -> Path:
    """The page for a folder is its README, if there is one."""
    return file / "README.md" if file.is_dir() and (file / "README.md").exists() else file


def rewritten(body: str, page: Path, repo: Path = REPO) -> tuple[str, list[Path]]:
    """HTML whose links lead to pages of the site, and the files of those pages.

    A link to something that the site does not have becomes text. Links to the web stay.
    """
    found: list[Path] = []
    here = place_of(page, repo)

    def link(match: re.Match[str]) -> str:
        attribute, target = match.groups()
        if target.startswith("#") or urlsplit(target).scheme:
            return match[0]
        known = source_of(target, page, repo)
        if known is None:
            return f'data-elsewhere="{target}"'
        file = resolved(known[0])
        found.append(file)
        return f'{attribute}="{to(file, known[1], here, repo)}"'

    return LINK.sub(link, body), found


def to(file: Path, anchor: str, here: PurePosixPath, repo: Path = REPO) -> str:
    """A relative address from a page of the site to the page of a file."""
    path = quote(os.path.relpath(place_of(file, repo), here.parent))
    return f"{path}#{anchor}" if anchor else path


def slugs(body: str) -> str:
    """HTML whose headings have the anchors that GitHub gives them."""
    taken: dict[str, int] = {}

    def heading(match: re.Match[str]) -> str:
        level, inner = match.groups()
        words = html.unescape(re.sub(r"<[^>]+>", "", inner)).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = taken.get(slug, 0)
        taken[slug] = count + 1
        name = html.escape(f"{slug}-{count}" if count else slug, quote=True)
        return f'<h{level} id="{name}">{inner}</h{level}>'

    return HEADING.sub(heading, body)


def missing(pages: Iterable[Path]) -> list[str]:
    """Links and pictures in the pages of a finished site that lead nowhere, and what comes from outside."""
    wrong = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for attribute, target in LINK.findall(re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)):
            parts = urlsplit(html.unescape(target))
            if "<script" in text or (parts.scheme in ("http", "https") and attribute == "src"):
                wrong.append(f"{page.name}: {target[:80]} is loaded from outside")
            if parts.scheme or not parts.path:
                continue
            file = page.parent / unquote(parts.path)
            if not file.exists():
                wrong.append(f"{page.name}: {target} does not exist")
            elif parts.fragment and f'id="{parts.fragment}"' not in file.read_text(encoding="utf-8"):
                wrong.append(f"{page.name}: {target} has no such heading")
    return wrong
