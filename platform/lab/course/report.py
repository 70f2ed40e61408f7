"""Write the last verdicts as JUnit XML for other tools, and as a web page for people."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from lab.text import as_html, visible

Results = dict[str, dict[str, Any]]


def write_junit(file: Path, results: Results) -> None:
    """Write JUnit XML with one test suite for each lab that was checked."""
    root = Xml.Element("testsuites", name="CivilDIY Lab")
    for number, known in results.items():
        verdicts = known.get("verdicts", [])
        suite = Xml.SubElement(root, "testsuite", name=f"lab {number}", tests=str(len(verdicts)))
        for total, outcome in (
            ("failures", "fail"),
            ("errors", "not gradable"),
            ("skipped", "not attempted"),
        ):
            suite.set(total, str(sum(verdict["outcome"] == outcome for verdict in verdicts)))
        for verdict in verdicts:
            case = Xml.SubElement(
                suite,
                "testcase",
                name=visible(verdict["check"]),
                classname=f"lab{number}.step{verdict.get('step', 0)}",
                time=f"{verdict['seconds']:.3f}",
            )
            kind = {"fail": "failure", "not gradable": "error", "not attempted": "skipped"}.get(
                verdict["outcome"]
            )
            if kind:
                text = visible("\n".join(f"{label}: {content}" for label, content in verdict["lines"]))
                Xml.SubElement(case, kind, message=visible(verdict["title"])).text = text
    Xml.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def write_html(file: Path, results: Results) -> None:
    """Write a web page without scripts that follows the browser's dark or light mode."""
    rows = []
    for number, known in results.items():
        outcome, points = (
            known.get("outcome", "not checked"),
            f"{known.get('points', 0)}/{known.get('of', '?')}",
        )
        rows.append(f"<h2>Lab {number}: {as_html(outcome)}, {points} points</h2>")
        for verdict in known.get("verdicts", []):
            said = "".join(
                f"<dt>{as_html(label)}</dt><dd>{as_html(text)}</dd>" for label, text in verdict["lines"]
            )
            step = f"Step {verdict['step']}: " if verdict.get("step") else ""
            head = f"{step}{as_html(verdict['outcome'].upper())}: {as_html(verdict['title'])}"
            rows.append(f"<h3>{head}</h3><dl>{said}</dl>" if said else f"<p>{head}</p>")
    style = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui;max-width:50em;margin:2em auto}"
    file.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Report</title><style>{style}</style>'
        f"<h1>CivilDIY Lab: report</h1>{''.join(rows)}</html>\n",
        encoding="utf-8",
    )
