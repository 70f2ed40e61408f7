"""./lab status and ./lab endpoints: the units, their addresses, and Consul's view of them."""

import json
import time

import click
import httpx
from rich.console import Console
from rich.table import Table

from lab.backends.protocol import SECOND, UNITS, Backend
from lab.course.whose import print_code
from lab.home import Home
from lab.memory import together
from lab.probes import local_http


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands."""

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    def status(as_json: bool) -> None:
        """Show each unit: state, address, memory, since when, Consul's view; and whose code runs."""
        if as_json:
            addresses, health = backend.endpoints(), consul_health(backend)
            seen = [
                unit.__dict__ | {"address": addresses.get(unit.name), "consul": health.get(unit.name)}
                for unit in backend.units()
            ]
            click.echo(json.dumps(seen, indent=1))
        else:
            print_status(backend, console)
            print_code(home, console)

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    def endpoints(as_json: bool) -> None:
        """Print the address of each unit."""
        if as_json:
            click.echo(json.dumps(backend.endpoints(), indent=1))
        else:
            print_endpoints(backend, console)


def print_status(backend: Backend, console: Console) -> None:
    """A table of units."""
    units = backend.units()
    addresses, health = backend.endpoints(), consul_health(backend)
    addresses["traefik"] = addresses["gateway"]
    table = Table(box=None, pad_edge=False)
    for column in ("unit", "state", "address", "MB", "since", "Consul"):
        table.add_column(column, justify="right" if column == "MB" else "left", no_wrap=True)
    for unit in units:
        since = time.strftime("%H:%M:%S", time.localtime(unit.since)) if unit.since else "-"
        address = addresses.get(unit.name, "-").removeprefix("http://")
        table.add_row(
            unit.name, unit.state, address, f"{unit.memory / 1e6:.0f}", since, health.get(unit.name, "-")
        )
    console.print(table)
    added = sum(unit.memory for unit in units) / 1e6
    once = together(units) / 1e6
    console.print(f"{once:.0f} MB in all (pages shared by processes counted once; the column: {added:.0f})")
    if not any(unit.state == "running" for unit in units):
        console.print("The system is not running. Start it: ./lab up")


def consul_health(backend: Backend) -> dict[str, str]:
    """Consul's word on each instance, by unit; empty while Consul does not answer."""
    try:
        url = f"{backend.endpoints()['consul']}/v1/health/state/any"
        checks = local_http.get(url, timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return {}
    # By service, since a learner's code may choose other ids; ours name the instance's host, too, and so
    # tell a second one from the first.
    said = {check[key]: check["Status"] for key in ("ServiceName", "ServiceID") for check in checks}
    ids = {unit: f"{unit.removesuffix('-2')}-{backend.host(unit)}" for unit in (*UNITS, *SECOND)}
    words = {unit: said.get(name, said.get(unit, "")) for unit, name in ids.items()}
    return {unit: word for unit, word in words.items() if word}


def print_endpoints(backend: Backend, console: Console) -> None:
    """A table of addresses."""
    table = Table(box=None, pad_edge=False, show_header=False)
    notes = {"traefik": "dashboard", "consul": "UI"}
    for name, address in backend.endpoints().items():
        table.add_row(name, address, notes.get(name, ""))
    console.print(table)
