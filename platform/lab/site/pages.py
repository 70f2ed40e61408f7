"""Bodies of pages: from Markdown, from a notebook, from a file of code, and from a folder."""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from lab.home import REPO
from lab.site.links import slugs

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
"""The settings at the beginning of a file with slides."""
NOT_RUN = '<p class="note">This page shows the lesson without its outputs: {why}.</p>'


@dataclass(frozen=True)
class Page:
    """A title and the HTML below the head of the page; `remark` is for the person who makes the site."""

    title: str
    body: str
    remark: str = ""


def page_of(file: Path, repo: Path = REPO) -> Page:
    """The page for a file or folder of the repository."""
    if file.suffix == ".ipynb":
        return notebook(file, repo)
    if file.is_dir():
        return folder(file, repo)
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix == ".md":
        text = FRONT_MATTER.sub("", text)
        return Page(title_of(text, file.stem), slugs(markdown(text)))
    return Page(
        file.name, f"<h1>{html.escape(file.relative_to(repo).as_posix())}</h1>{code(file.name, text)}"
    )


def markdown(text: str) -> str:
    """Markdown as HTML, with highlighted code."""
    return str(markdown2html(text))


def title_of(text: str, otherwise: str) -> str:
    """The first heading of a Markdown text."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return re.sub(r"[`*]", "", found[1]).strip() if found else otherwise


def summary_of(text: str) -> str:
    """The line in italics below the heading of a lesson: its time and aim; '' if there is none."""
    found = re.search(r"^# .+\n+\*([^*\n]+)\*\s*$", text, re.MULTILINE)
    return found[1] if found else ""


def notebook(file: Path, repo: Path = REPO) -> Page:
    """A lesson: its executed copy, or its text alone where the copy is missing or older than the text."""
    from lab.notebook.texts import reference_cells

    text = repo / "notebooks" / "text" / f"{file.stem}.md"
    expected: Any = reference_cells(text)
    why = ""
    if file.exists():
        made: Any = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
        if [cell.source for cell in made.cells] != [cell.source for cell in expected.cells]:
            why = "it has changed since it was last run"
    else:
        why = "it was not run yet"
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(expected if why else made)
    words = text.read_text(encoding="utf-8")
    again = f".venv/bin/python -m lab.notebook.sources {file.stem[:2]}"
    return Page(
        title_of(words, file.stem), (NOT_RUN.format(why=why) if why else "") + slugs(body),
        f"{file.stem} is shown without outputs: {why}. Run it: {again}" if why else "",
    )  # fmt: skip


def code(name: str, text: str) -> str:
    """A file of code with colours."""
    try:
        lexer: Any = get_lexer_for_filename(name)
    except ClassNotFound:
        lexer = TextLexer()
    return str(highlight(text, lexer, HtmlFormatter()))


def folder(file: Path, repo: Path = REPO) -> Page:
    """The pages in a folder without a README."""
    rows = []
    for inside in sorted(file.iterdir()):
        if inside.name.startswith((".", "__")) or inside.suffix == ".pyc":
            continue
        title = (
            title_of(inside.read_text(encoding="utf-8"), inside.name)
            if inside.suffix == ".md"
            else inside.name
        )
        slash = "/" if inside.is_dir() else ""
        rows.append(f'<li><a href="{html.escape(inside.name)}{slash}">{html.escape(title)}{slash}</a></li>')
    name = html.escape(file.relative_to(repo).as_posix())
    return Page(name, f'<h1>{name}</h1><ul class="pages">{"".join(rows)}</ul>')
