"""The results as one web page without scripts: a row for each person, details one click away."""

from collections.abc import Iterable
from typing import Any

from lab.classroom.course_file import Course
from lab.classroom.judged import Judged
from lab.classroom.scores import Row, stuck
from lab.classroom.submission import Refused
from lab.text import as_html

STYLE = """
:root { color-scheme: light dark; --line: #8886; --pass: #1a7f37; --fail: #c62828; --odd: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --pass: #4cc26a; --fail: #ff7b72; --odd: #e3b341; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em; }
table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .3em .6em; }
th { text-align: left; } td { vertical-align: top; } .wide { overflow-x: auto; }
summary { cursor: pointer; white-space: nowrap; } dt { font-weight: 600; } dd { margin: 0 0 .4em 1em; }
dd, p { overflow-wrap: anywhere; white-space: pre-wrap; } details dl { max-width: 40em; margin: .3em 0; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .not-gradable { color: var(--odd); }
.not-attempted { opacity: .7; } h4 { margin: .8em 0 .2em; } small { font-weight: 400; }
"""
SIGNS = {"pass": "✓", "fail": "✗", "not gradable": "?", "not attempted": "·"}
"""The outcome as a sign, so that it does not depend on colours."""


def page(course: Course, rows: list[Row], refused: Iterable[Refused], note: str) -> str:
    """Return the page. `note` is a sentence about the run, such as how much of it is done."""
    heads = "".join(
        f'<th scope="col" title="{as_html(lab.exercise.title)}">{lab.number}</th>' for lab in course.labs
    )
    body = "".join(_row(course, row) for row in rows)
    title = as_html(f"Results: {course.name}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1><p>{as_html(note)}</p>"
        f"<p>{' &nbsp; '.join(f'<span class={_class(o)}>{s} {o}</span>' for o, s in SIGNS.items())}</p>"
        f'<div class="wide"><table><thead><tr><th scope="col">person</th>{heads}<th scope="col">points</th>'
        f'<th scope="col">total</th></tr></thead><tbody>{body}</tbody></table></div>'
        f"{_stuck(course, rows)}{_refused(refused)}</body></html>\n"
    )


def _class(outcome: str) -> str:
    return f'"{outcome.replace(" ", "-")}"'


def _row(course: Course, row: Row) -> str:
    cells = "".join(f"<td>{_cell(course, row, lab.number)}</td>" for lab in course.labs)
    remarks = "".join(f"<br><small>{as_html(remark)}</small>" for remark in row.submission.remarks)
    about = as_html(f"{row.submission.archive}, made {row.submission.made}")
    return (
        f'<tr><th scope="row" title="{about}">{as_html(row.shown)}{remarks}</th>{cells}'
        f"<td>{row.points:g} / {row.of:g}</td><td>{row.percent(course):.0f} %</td></tr>"
    )


def _cell(course: Course, row: Row, number: str) -> str:
    judged = row.labs.get(number)
    if judged is None:
        return "not judged yet"
    score, lab = row.scores[number], course.lab(number)
    assert lab is not None
    head = f"{SIGNS[judged.outcome]} {score.points:g}/{score.of:g}"
    steps = "".join(
        f"<h4 class={_class(outcome)}>{SIGNS[outcome]} step {step}"
        f" {as_html(lab.exercise.steps[int(step) - 1])}</h4>"
        + "".join(map(_verdict, (v for v in judged.verdicts if v["step"] == int(step))))
        for step, outcome in judged.steps.items()
    )
    return (
        f"<details><summary class={_class(judged.outcome)}>{head}</summary>{_about(judged)}{steps}</details>"
    )


def _about(judged: Judged) -> str:
    facts = [f"{judged.took:.0f} s, seed {judged.seed}"] if judged.seconds else []
    facts += ["the time limit ended the checks"] if judged.timed_out else []
    facts += [judged.trouble] if judged.trouble else []
    return f"<p>{as_html('; '.join(facts))}</p>" if facts else ""


def _verdict(verdict: dict[str, Any]) -> str:
    head = f"{SIGNS[verdict['outcome']]} {as_html(verdict['title'])} ({verdict['points']})"
    if verdict["outcome"] == "pass" or not verdict["lines"]:
        return f"<p class={_class(verdict['outcome'])}>{head}</p>"
    lines = "".join(f"<dt>{as_html(label)}</dt><dd>{as_html(text)}</dd>" for label, text in verdict["lines"])
    return f"<details><summary class={_class(verdict['outcome'])}>{head}</summary><dl>{lines}</dl></details>"


def _stuck(course: Course, rows: list[Row]) -> str:
    lines = []
    for (number, step), people in stuck(course, rows).items():
        lab = course.lab(number)
        assert lab is not None
        lines.append(
            f"<tr><td>{number}</td><td>{step} {as_html(lab.exercise.steps[step - 1])}</td>"
            f"<td>{len(people)}</td><td>{', '.join(map(as_html, people))}</td></tr>"
        )
    if not lines:
        return ""
    return (
        '<h2>Who is stuck at which step</h2><div class="wide"><table><thead><tr><th scope="col">lab</th>'
        '<th scope="col">first step without a pass</th><th scope="col">people</th><th scope="col">who</th>'
        f"</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _refused(refused: Iterable[Refused]) -> str:
    lines = [
        f"<tr><td>{as_html(one.archive)}</td><td>{as_html(one.name)}</td><td>{as_html(one.why)}</td></tr>"
        for one in refused
    ]
    if not lines:
        return ""
    return (
        '<h2>Files that were refused</h2><div class="wide"><table><thead><tr><th scope="col">file</th>'
        f'<th scope="col">name</th><th scope="col">why</th></tr></thead><tbody>{"".join(lines)}</tbody>'
        "</table></div>"
    )
