"""Endpoints of JupyterLab's server about the course: its notebooks, the dashboards, the system's state.

`./lab notebook` loads this extension. It renders the pages of the APIs from each service's own OpenAPI
document, because FastAPI's /docs fetches its scripts from the internet.
"""

import asyncio
import html
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerApp
from tornado.web import HTTPError, authenticated

from lab.backends.choice import chosen
from lab.backends.compose.network import Addresses
from lab.course.overview import Standing, overview
from lab.home import REPO, Home
from lab.jupyter.submission import SubmitHandler
from lab.probes.local_http import NO_TLS
from lab.start import added_pages
from lab.topology import SERVICES

home = Home.from_environment()
backend = chosen(home)
NOTEBOOKS = REPO / "notebooks"
PAGES = {"metrics": "Metrics (vmui)", "traces": "Traces (Jaeger)", "alerts": "Alerts (vmalert)"}
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui;max-width:50em;margin:2em auto;padding:0 1em}"
    "code{font-size:15px}dt{font-weight:600;margin-top:1em}"
)


def course() -> dict[str, list[dict[str, str]]]:
    """Return the notebooks in their order with the learner's progress, and the pages to open beside them."""
    places = {place.lab.number: place for place in overview(home)}
    notebooks = []
    for text in sorted((NOTEBOOKS / "text").glob("[0-9][0-9]-*.md")):
        place = places.get(text.stem[:2])
        notebooks.append({
            "title": f"{text.stem[:2]} {_heading(text, place.lab.title if place else text.stem)}",
            "path": f"notebooks/{text.stem}.ipynb",
            "standing": place.standing if place else "",
            "line": str(place) if place else "",
        })  # fmt: skip
    _begin_with_the_tour(notebooks)
    # In the container the links are for the browser outside, which reaches the published ports.
    inside = backend.kind == "inside"
    at = Addresses(os.environ).endpoints(backend.options()) if inside else backend.endpoints()
    pages = [
        {"title": "Traefik's dashboard", "url": f"{at['traefik']}/dashboard/"},
        {"title": "Consul", "url": f"{at['consul']}/ui/"},
        *({"title": PAGES[name], "url": f"{at[name]}{path}"} for name, path in added_pages(backend).items()),
        *({"title": f"API of {service}", "url": f"civildiy/api/{service}"} for service in SERVICES),
    ]
    return {"notebooks": notebooks, "pages": pages}


def _begin_with_the_tour(notebooks: list[dict[str, str]]) -> None:
    """Mark the tour as next, instead of a lab, until a cell of it was run or a lab was begun."""
    tour, *labs = notebooks
    if {lab["standing"] for lab in labs} & {Standing.PASSED, Standing.IN_PROGRESS}:
        return
    try:
        cells = json.loads((REPO / tour["path"]).read_text(encoding="utf-8"))["cells"]
        if any(cell.get("execution_count") for cell in cells):
            return
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass  # a missing or damaged notebook has not been run either
    for lab in labs:
        lab |= {"standing": Standing.LATER, "line": ""}
    tour |= {"standing": Standing.NEXT, "line": "start here"}


def _heading(text: Path, otherwise: str) -> str:
    match = re.match(r"# \d\d · (.+)", text.read_text(encoding="utf-8"))
    return match[1] if match else otherwise


def status() -> dict[str, object]:
    """Return one line about the system, and whether all units run."""
    units = [unit for unit in backend.units() if not unit.name.endswith("-2")]
    down = [unit.name for unit in units if unit.state != "running"]
    if len(down) == len(units):
        return {"good": False, "line": "The system is down: ./lab up"}
    if down:
        return {"good": False, "line": f"Not running: {', '.join(down)}"}
    return {"good": True, "line": f"{len(units)} of {len(units)} units run"}


def api_page(service: str, document: dict[str, Any]) -> str:
    """Return a page about a service's endpoints and their answers, which needs no other file."""
    rows = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = ", ".join(
                f"{code} {answer['description']}" for code, answer in operation["responses"].items()
            )
            rows.append(
                f"<dt><code>{method.upper()} {html.escape(path)}</code></dt>"
                f"<dd>{html.escape(operation.get('description', ''))}<br>{html.escape(answers)}</dd>"
            )
    name = html.escape(f"API of {service}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"<h1>{name}</h1><dl>{''.join(rows)}</dl></html>"
    )


class CourseHandler(JupyterHandler):
    """Handler of GET civildiy/course."""

    @authenticated
    async def get(self) -> None:
        """Answer with the course as JSON."""
        self.finish(json.dumps(course()))


class StatusHandler(JupyterHandler):
    """Handler of GET civildiy/status."""

    @authenticated
    async def get(self) -> None:
        """Answer with the state as JSON."""
        self.finish(json.dumps(await asyncio.to_thread(status)))


class ApiHandler(JupyterHandler):
    """Handler of GET civildiy/api/SERVICE."""

    @authenticated
    async def get(self, service: str) -> None:
        """Answer with a page, rendered from the OpenAPI document of the running service."""
        if service not in SERVICES:
            raise HTTPError(404)
        try:
            async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=5) as client:
                answer = await client.get(f"{backend.endpoints()[service]}/openapi.json")
        except httpx.TransportError as error:
            raise HTTPError(
                503, f"{service} does not answer. See why, in a terminal: ./lab status"
            ) from error
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(api_page(service, answer.json()))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "lab.jupyter.server"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    base = app.web_app.settings["base_url"].rstrip("/")
    app.web_app.add_handlers(  # type: ignore[no-untyped-call]
        ".*$",
        [
            (f"{base}/civildiy/course", CourseHandler),
            (f"{base}/civildiy/status", StatusHandler),
            (f"{base}/civildiy/submit", SubmitHandler),
            (f"{base}/civildiy/api/([a-z]+)", ApiHandler),
        ],
    )
