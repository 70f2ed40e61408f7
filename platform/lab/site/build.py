"""Build the site: the pages of the course, and every file of the repository that they link to."""

import html
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lab.errors import LabError
from lab.home import REPO
from lab.site import style
from lab.site.links import COPIED, place_of, rewritten, to
from lab.site.pages import Page, page_of, summary_of, title_of

MARK = ".made-by-lab-site"
"""Lies in a finished site: only a folder that has it, or an empty one, is replaced."""


def build(target: Path, repo: Path = REPO) -> list[str]:
    """Write the site into a folder; returns what the person should know. Raises LabError."""
    _refuse(target)
    new = target.with_name(f"{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    lessons = lessons_of(repo)
    waiting = [*lessons, *_seeds(repo)]
    done: set[Path] = set()
    remarks = []
    while waiting:
        file = waiting.pop(0)
        if file in done:
            continue
        done.add(file)
        place = new / place_of(file, repo)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix.lower() in COPIED:
            shutil.copyfile(file, place)
            continue
        page = page_of(file, repo)
        remarks += [page.remark] if page.remark else []
        # Links of a folder begin in it, and those of a file beside it.
        body, found = rewritten(page.body, file / "-" if file.is_dir() else file, repo)
        waiting += found
        footer = _beside(file, lessons, repo)
        place.write_text(whole(Page(page.title, body), place_of(file, repo), footer), encoding="utf-8")
    (new / "style.css").write_text(style.sheet(), encoding="utf-8")
    first = whole(index(lessons, repo), PurePosixPath("index.html"))
    (new / "index.html").write_text(first, encoding="utf-8")
    (new / MARK).touch()
    shutil.rmtree(target, ignore_errors=True)
    new.replace(target)
    return remarks


def _refuse(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not (target / MARK).exists():
        raise LabError(
            f"{target} exists, and ./lab site did not make it. Nothing was written, because the site"
            " replaces the whole folder. Name another folder: ./lab site FOLDER"
        )


def lessons_of(repo: Path) -> list[Path]:
    """The notebooks in their order, as executed copies (which may be missing)."""
    texts = sorted((repo / "notebooks" / "text").glob("[0-9][0-9]-*.md"))
    return [repo / "notebooks" / "reference" / f"{text.stem}.ipynb" for text in texts]


def _seeds(repo: Path) -> list[Path]:
    """The other pages that the index lists."""
    return [
        *sorted((repo / "labs").glob("*/README.md")),
        *sorted((repo / "docs" / "concepts").glob("*.md")),
        *(file for file in (repo / "docs" / "glossary.md", repo / "README.md", repo / "docs" / "README.md")
          if file.exists()),
    ]  # fmt: skip


def _beside(file: Path, lessons: Sequence[Path], repo: Path) -> str:
    """Links to the lessons before and after."""
    if file not in lessons:
        return ""
    number = lessons.index(file)
    here = place_of(file, repo)

    def link(other: Path, arrow: str) -> str:
        title = html.escape(_title(other, repo))
        return f'<a href="{to(other, "", here, repo)}">{arrow.format(title)}</a>'

    before = link(lessons[number - 1], "← {}") if number else "<span></span>"
    after = link(lessons[number + 1], "{} →") if number + 1 < len(lessons) else ""
    return f"<footer>{before}{after}</footer>"


def _title(lesson: Path, repo: Path) -> str:
    return title_of(
        (repo / "notebooks" / "text" / f"{lesson.stem}.md").read_text(encoding="utf-8"), lesson.stem
    )


def index(lessons: Sequence[Path], repo: Path) -> Page:
    """The first page: lessons, labs, concepts, and more."""
    here = PurePosixPath("index.html")

    def row(file: Path, title: str, more: str = "") -> str:
        small = f"<small>{html.escape(more)}</small>" if more else ""
        return f'<li><a href="{to(file, "", here, repo)}">{html.escape(title)}</a>{small}</li>'

    def listed(files: Sequence[Path]) -> str:
        rows = [row(file, title_of(file.read_text(encoding="utf-8"), file.stem)) for file in files]
        return f'<ul class="pages">{"".join(rows)}</ul>'

    texts = [repo / "notebooks" / "text" / f"{lesson.stem}.md" for lesson in lessons]
    notebooks = "".join(
        row(lesson, _title(lesson, repo), summary_of(text.read_text(encoding="utf-8")))
        for lesson, text in zip(lessons, texts, strict=True)
    )
    seeds = _seeds(repo)
    labs = [file for file in seeds if file.parent.parent == repo / "labs"]
    concepts = [file for file in seeds if file.parent.name == "concepts" and file.name != "README.md"]
    rest = [file for file in seeds if file not in labs and file not in concepts]
    body = (
        "<h1>CivilDIY Lab</h1><p>A hands-on course on microservices, on a system that really runs. These"
        " pages show the lessons with the outputs of the reference system, so they contain the answers to all"
        " predictions. To try for yourself: <code>./lab up</code>, then <code>./lab notebook</code>.</p>"
        f'<h2 id="lessons">Lessons</h2><ul class="pages">{notebooks}</ul>'
        f"<h2>Labs: what you write</h2>{listed(labs)}"
        f"<h2>Concepts</h2>{listed(concepts)}<h2>More</h2>{listed(rest)}"
    )
    return Page("CivilDIY Lab", body)


def whole(page: Page, here: PurePosixPath, footer: str = "") -> str:
    """A complete page around a body."""
    up = "../" * (len(here.parts) - 1)
    title = html.escape(page.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{up}style.css"></head><body>'
        f'<header><a href="{up}index.html">CivilDIY Lab</a><a href="{up}index.html#lessons">Lessons</a>'
        f'<a href="{up}docs/concepts/README.html">Concepts</a>'
        f'<a href="{up}docs/glossary.html">Glossary</a></header>'
        f"<main>{page.body}</main>{footer}</body></html>\n"
    )
