"""./lab status and ./lab endpoints: the units, their addresses, and Consul's view of them."""

import json
import time

import click
import httpx

from lab import topology
from lab.backends.protocol import Backend
from lab.course.whose import print_code
from lab.home import Home
from lab.memory import together
from lab.probes import local_http
from lab.terminal import Console, print_rows
from lab.topology import SECONDS, UNITS


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
            print_status(home, backend, console)
            print_code(home, console)

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    def endpoints(as_json: bool) -> None:
        """Print the address of each unit."""
        if as_json:
            click.echo(json.dumps(backend.endpoints(), indent=1))
        else:
            print_endpoints(backend, console)


def print_status(home: Home, backend: Backend, console: Console) -> None:
    """A table of units, and what is wrong in the running system."""
    from lab.health.examine import lines, problems

    units = backend.units()
    addresses, health = backend.endpoints(), consul_health(backend)
    addresses["traefik"] = addresses["gateway"]
    heads = ("unit", "state", "address", "MB", "since", "Consul")
    rows = []
    for unit in units:
        since = time.strftime("%H:%M:%S", time.localtime(unit.since)) if unit.since else "-"
        address = addresses.get(unit.name, "-").removeprefix("http://")
        word = health.get(unit.name, "-")
        rows.append((unit.name, unit.state, address, f"{unit.memory / 1e6:.0f}", since, word))
    print_rows(console, heads, rows, right=["MB"], whole=heads)
    added = sum(unit.memory for unit in units) / 1e6
    once = together(units) / 1e6
    console.print(f"{once:.0f} MB in all (pages shared by processes counted once; the column: {added:.0f})")
    if not any(unit.state == "running" for unit in units):
        console.print("The system is not running. Start it: ./lab up")
        return
    if wrong := lines(problems(home, backend)):
        console.print("\nThe system does not do all of what it was told:")
        for problem in wrong:
            console.print(f"- {problem}", soft_wrap=True)


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
    ids = {unit: f"{unit.removesuffix(topology.SECOND)}-{backend.host(unit)}" for unit in (*UNITS, *SECONDS)}
    words = {unit: said.get(name, said.get(unit, "")) for unit, name in ids.items()}
    return {unit: word for unit, word in words.items() if word}


def print_endpoints(backend: Backend, console: Console) -> None:
    """A line for each address, which is never cut or wrapped: the terminal shows a long one on two lines."""
    notes = {"traefik": "dashboard", "consul": "UI"}
    for name, address in backend.endpoints().items():
        console.print(f"{name:<12}{address:<24}{notes.get(name, '')}".rstrip(), soft_wrap=True)
