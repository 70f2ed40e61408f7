"""./lab status and ./lab endpoints: the units, their addresses, and their health in Consul."""

import json
import time

import click
import httpx

from lab.backends.protocol import Backend
from lab.course.whose import print_code
from lab.home import Home
from lab.memory import together
from lab.probes import local_http
from lab.probes.instances import instance_ids
from lab.start import print_endpoints
from lab.terminal import Console, print_rows


def register(cli: click.Group, home: Home, backend: Backend, console: Console) -> None:
    """Add the commands to `cli`."""

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
    def status(as_json: bool) -> None:
        """Show the state of each unit, and whose code it runs."""
        if as_json:
            addresses, health = backend.endpoints(), consul_health(backend)
            units = [
                unit.__dict__ | {"address": addresses.get(unit.name), "consul": health.get(unit.name)}
                for unit in backend.units()
            ]
            click.echo(json.dumps(units, indent=1))
        else:
            print_status(home, backend, console)
            print_code(home, console)

    @cli.command()
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
    def endpoints(as_json: bool) -> None:
        """Print the address of each unit."""
        if as_json:
            click.echo(json.dumps(backend.endpoints(), indent=1))
        else:
            print_endpoints(backend, console)


def print_status(home: Home, backend: Backend, console: Console) -> None:
    """Print a table of all units, then what is wrong in the running system."""
    from lab.health.examine import lines, problems

    units = backend.units()
    addresses, health = backend.endpoints(), consul_health(backend)
    addresses["traefik"] = addresses["gateway"]
    heads = ("unit", "state", "address", "MB", "since", "Consul")
    rows = []
    for unit in units:
        since = time.strftime("%H:%M:%S", time.localtime(unit.since)) if unit.since else "-"
        address = addresses.get(unit.name, "-").removeprefix("http://")
        consul = health.get(unit.name, "-")
        rows.append((unit.name, unit.state, address, f"{unit.memory / 1e6:.0f}", since, consul))
    print_rows(console, heads, rows, right=["MB"], whole=heads)
    column = sum(unit.memory for unit in units) / 1e6
    once = together(units) / 1e6
    console.print(
        f"{once:.0f} MB in total. The column adds up to {column:.0f} MB: it counts shared pages repeatedly."
    )
    if not any(unit.state == "running" for unit in units):
        console.print("The system is not running. Start it: ./lab up")
        return
    if wrong := lines(problems(home, backend)):
        console.print("\nThe system differs from its configuration:")
        for problem in wrong:
            console.print(f"- {problem}", soft_wrap=True)


def consul_health(backend: Backend) -> dict[str, str]:
    """Return the status of each unit's instance in Consul; empty while Consul does not answer."""
    try:
        url = f"{backend.endpoints()['consul']}/v1/health/state/any"
        checks = local_http.get(url, timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return {}
    # A learner's code may choose another instance id, so the service's name serves as a second key. The
    # platform's ids contain the host, which tells a second instance from the first.
    by_name = {check[key]: check["Status"] for key in ("ServiceName", "ServiceID") for check in checks}
    ids = instance_ids(backend)
    statuses = {unit: by_name.get(name, by_name.get(unit, "")) for unit, name in ids.items()}
    return {unit: status for unit, status in statuses.items() if status}
