"""The page that shows a class: HTML from a board. Every text from outside passes `as_html`.

The browser replaces the content every two seconds (web/class.js). It needs nothing from outside.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.classroom.board import Answers, Board, Person, Step, Trouble
from lab.classroom.charts import bar, passes_over_time
from lab.course.exercise import exercises
from lab.text import as_html

FOLDER = Path(__file__).with_name("web")
ASSETS = {"class.css": "text/css", "class.js": "text/javascript"}
MARKS = {"pass": ("✓", "pass"), "fail": ("✗", "fail"), "not gradable": ("!", "unclear"), "": ("·", "open")}
"""How an outcome is shown: by a sign and by a colour, so that colour is never the only difference."""


def page(board: Board, now: float, joining: str = "") -> str:
    """Return the complete page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Class overview</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="class.css"><script src="class.js" defer></script></head><body>'
        '<header><h1>Class overview</h1><label><input type="checkbox" id="hide"> hide names</label>'
        '<p id="state" role="status"></p></header>'
        f'<main id="content">{content(board, now, joining)}</main></body></html>\n'
    )


def content(board: Board, now: float, joining: str = "") -> str:
    """Return the part of the page that changes."""
    heard = [person for person in board.people.values() if person.heard]
    parts = [f'<p class="joining">To join: <code>{as_html(joining)}</code></p>' if joining else ""]
    if not board.people:
        parts.append("<p>Nobody has joined yet.</p>")
        return "".join(parts)
    passes = board.passes()
    parts.append(
        f"<p>Joined: <strong>{len(board.people)}</strong>. Have sent something:"
        f" <strong>{len(heard)}</strong>. Steps passed: <strong>{len(passes)}</strong>.</p>"
    )
    parts += [
        _section("people", "People by steps", _people(board, now)),
        _section("passes", "Passes over time", passes_over_time(passes, now)),
        _section("troubles", "What fails most now", _troubles(board.troubles())),
        _section("answers", "Predictions", _answers(board.answers())),
    ]
    return "".join(parts)


def _section(anchor: str, title: str, body: str) -> str:
    return f'<section id="{anchor}"><h2>{title}</h2>{body}</section>'


def _people(board: Board, now: float) -> str:
    """Return a table with a row for each person and a column for each step of the labs in use."""
    steps = board.steps()
    titles = {lab.number: lab for lab in exercises()}
    labs = dict.fromkeys(lab for lab, _ in steps)
    first = "".join(
        f'<th colspan="{sum(lab == number for number, _ in steps)}">{lab} {as_html(titles[lab].title)}</th>'
        for lab in labs
    )
    second = "".join(
        f'<th title="{as_html(titles[lab].steps[step - 1])}"{_edge(steps, place)}>{step}</th>'
        for place, (lab, step) in enumerate(steps)
    )
    rows = "".join(
        _person(number, person, steps, now)
        for number, person in enumerate(
            sorted(board.people.values(), key=lambda each: each.name.casefold()), 1
        )
    )
    counts = [sum(person.outcome(step) == "pass" for person in board.people.values()) for step in steps]
    sums = "".join(f"<td{_edge(steps, place)}>{count}</td>" for place, count in enumerate(counts))
    return (
        f'<div class="wide"><table class="people"><thead><tr><th rowspan="2">who</th>{first}'
        f'<th rowspan="2">stuck at</th><th rowspan="2">last news</th></tr><tr>{second}</tr></thead>'
        f"<tbody>{rows}</tbody><tfoot><tr><th>passed</th>{sums}<td></td><td></td></tr></tfoot></table></div>"
        '<p class="legend">✓ passed, ✗ failed, ! not gradable, · open</p>'
    )


def _person(number: int, person: Person, steps: Sequence[Step], now: float) -> str:
    cells = []
    for place, (lab, step) in enumerate(steps):
        outcome = person.outcome((lab, step))
        sign, kind = MARKS.get(outcome, MARKS[""])
        title = f"lab {lab}, step {step}: {outcome or 'not checked'}"
        cells.append(f'<td class="{kind}{_new_lab(steps, place)}" title="{title}">{sign}</td>')
    stuck = ""
    if person.stuck:
        (lab, step), since = person.stuck
        stuck = f"{lab} step {step}, {_age(now - since)}"
    news = f"{_age(now - person.heard)} ago" if person.heard else "none yet"
    return (
        f'<tr><th><span class="name">{as_html(person.name)}</span>'
        f'<span class="number">person {number}</span></th>'
        f"{''.join(cells)}<td>{stuck}</td><td>{news}</td></tr>"
    )


def _new_lab(steps: Sequence[Step], place: int) -> str:
    return " edge" if not place or steps[place - 1][0] != steps[place][0] else ""


def _edge(steps: Sequence[Step], place: int) -> str:
    return ' class="edge"' if _new_lab(steps, place) else ""


def _troubles(troubles: Sequence[Trouble]) -> str:
    """Return a list of the checks that fail, each with its messages to unfold."""
    if not troubles:
        return "<p>No check fails at the moment.</p>"
    rows = []
    for trouble in troubles:
        lab, step = trouble.step
        people = _counted(trouble.people, "person", "people")
        said = "".join(
            f"<li>{as_html(message)}{f' <b>({count} times)</b>' if count > 1 else ''}</li>"
            for message, count in trouble.messages
        )
        title = as_html(trouble.title or trouble.check)
        rows.append(
            f'<details id="t-{lab}-{as_html(trouble.check)}">'
            f"<summary>{people}: lab {lab}, step {step}: {title}</summary><ul>{said}</ul></details>"
        )
    return "".join(rows)


def _answers(answers: Sequence[Answers]) -> str:
    """Return the questions with a bar for each choice. They are folded, so that nobody is influenced."""
    if not answers:
        return "<p>Nobody has answered a question yet.</p>"
    rows = []
    for number, asked in enumerate(answers, 1):
        bars = "".join(
            f"<tr><th>{as_html(letter)}: {as_html(text)}</th>"
            f"<td>{bar(asked.counts[letter], asked.total)}</td><td>{asked.counts[letter]}</td></tr>"
            for letter, text in asked.choices.items()
        )
        rows.append(
            f'<details id="a-{asked.lesson}-{number}"><summary>Lesson {asked.lesson}:'
            f" {as_html(asked.question)} ({_counted(asked.total, 'answer', 'answers')})</summary>"
            f'<table class="bars">{bars}</table>'
            f"<p>{asked.seen} of {asked.total} have seen the outcome.</p></details>"
        )
    return "".join(rows)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _age(seconds: float) -> str:
    """Return a length of time in minutes or hours."""
    minutes = max(0, int(seconds)) // 60
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else "< 1 min"
    )
