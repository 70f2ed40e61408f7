"""The servers that an option adds to the native backend: their commands, settings and probes."""

from collections.abc import Mapping

from lab import options
from lab.backends.native import network
from lab.backends.settings import read
from lab.home import RECIPES, Home
from lab.install import optional as installed
from lab.topology import OPTIONAL, OURS, SCRAPED, SECOND

FILES = RECIPES / "observability"
TOOL = "feed-tool"


def commands(home: Home, chosen: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the command of each server that the chosen options add."""
    programs = installed.programs(home)
    at = {name: f"{network.host(name)}:{server.port}" for name, server in OPTIONAL.items()}
    every = {
        "metrics": [
            f"{programs['metrics']}", f"-storageDataPath={home.data}/metrics", "-retentionPeriod=1d",
            f"-httpListenAddr={at['metrics']}", f"-promscrape.config={FILES}/scrape.yml",
            "-promscrape.consulSDCheckInterval=5s", "-memory.allowedBytes=32MB",
            # Otherwise a query sees nothing that is younger than 30 s.
            "-search.latencyOffset=1s",
            f"-vmui.customDashboardsPath={FILES}/dashboards",
        ],
        "traces": [f"{programs['traces']}", "--config", f"{FILES}/jaeger.yaml"],
        "alerts": [
            f"{programs['alerts']}", f"-rule={FILES}/rules.yaml", f"-datasource.url=http://{at['metrics']}",
            f"-remoteWrite.url=http://{at['metrics']}", f"-remoteRead.url=http://{at['metrics']}",
            f"-httpListenAddr={at['alerts']}", "-notifier.blackhole",
            # As old as the data may be. By default, rules are evaluated for the moment 30 s ago.
            "-rule.evalDelay=1s",
        ],
    }  # fmt: skip
    return {name: every[name] for name in options.servers(chosen)}


def environment(unit: str, chosen: tuple[str, ...], values: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the chosen options add to a unit, a task or a tool."""
    found: dict[str, str] = {}
    first = unit.removesuffix(SECOND)
    if unit in options.servers(chosen):
        return read(unit, values) if unit != "alerts" else {}
    ours = first in OURS or first == TOOL
    if "json-logs" in chosen and ours:
        found["LOG_FORMAT"] = "json"
    if "observability" not in chosen:
        return found
    if first == "traefik":
        found |= read("traefik-observability", values)
    elif ours:
        found |= read("observability", values)
        if unit in SCRAPED:  # a second instance is not scraped, because its address would be another one
            found["METRICS_ADDRESS"] = f"{network.host(unit)}:{SCRAPED[unit][1]}"
    return found


def probe(server: str) -> tuple[str, str, str]:
    """Return host, port and path by which the supervisor knows that a server is ready."""
    port = OPTIONAL[server].ports.get("health", OPTIONAL[server].port)
    return network.host(server), str(port), "/status" if server == "traces" else "/health"
