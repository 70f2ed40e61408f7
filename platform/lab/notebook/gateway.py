"""Read Traefik's rules, and count its answers."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.notebook import plots
from lab.notebook.picture import Picture, Table
from lab.notebook.stack import address, backend, client, eventually
from lab.probes import local_http
from lab.probes.instances import answered


def routes(service: str = "") -> Table:
    """Return the routers that Traefik uses now, of one service or of all."""
    answer = local_http.get(f"{address('traefik')}/api/http/routers", params={"per_page": 200})
    rows = []
    for router in sorted(answer.json(), key=lambda r: (r["name"], r.get("priority", 0))):
        name = router["name"].partition("@")[0]
        if router["provider"] != "consul" or (service and not name.startswith(f"{service}-")):
            continue
        chain = ", ".join(m.partition("@")[0].removeprefix(f"{name.partition('-')[0]}-")
                          for m in router.get("middlewares", []))  # fmt: skip
        rows.append((name, router["rule"], router["priority"], chain, router["service"]))
    return Table("Routers of the gateway", ("router", "rule", "priority", "first through", "to"), rows)


def knock(path: str, times: int = 1, method: str = "GET", **options: Any) -> dict[str, int]:
    """Send `times` requests to the gateway; return how often each status came."""
    with client() as http:
        seen = Counter(str(http.request(method, path, **options).status_code) for _ in range(times))
    return dict(sorted(seen.items()))


def counts(service: str, path: str) -> dict[str, int]:
    """Return how many requests to `path` each unit has answered, by its own metrics."""
    running = [unit for unit in (service, f"{service}-2") if backend.pid_of(unit) is not None]
    return {unit: answered(backend, unit, path) for unit in running}


def shares(service: str, path: str, times: int = 100) -> dict[str, int]:
    """Send `times` requests to the gateway; return how many each unit answered."""
    before = counts(service, path)
    knock(path, times)
    return {instance: now - before.get(instance, 0) for instance, now in counts(service, path).items()}


def shared(service: str, path: str) -> bool:
    """Tell whether every healthy instance of the service gets requests."""
    return eventually(lambda: all(shares(service, path, 8).values()), what="all instances to get requests")


def bars(groups: Mapping[str, Mapping[str, int]], title: str) -> Picture:
    """Draw how many requests each unit got, in each situation."""
    words = "; ".join(f"{when}: " + ", ".join(f"{who} {n}" for who, n in group.items())
                     for when, group in groups.items())  # fmt: skip
    return plots.bars(groups, alt=f"{title}. {words}.", title=title, y="requests")


def burst(path: str, times: int, at_once: int = 8, **options: Any) -> list[int]:
    """Send POSTs with several clients at full speed; return the statuses in the order of the answers."""
    statuses: list[int] = []
    with client() as http, ThreadPoolExecutor(at_once) as pool:
        for _ in range(times):
            pool.submit(lambda: statuses.append(http.post(path, **options).status_code))
    return statuses


def burst_picture(statuses: list[int], title: str) -> Picture:
    """Draw each request as a mark: how many passed, and when the limiter began to answer 429."""
    sent = [float(number) for number in range(1, len(statuses) + 1)]
    through = [float(sum(s != 429 for s in statuses[:number])) for number in range(1, len(statuses) + 1)]
    refused = statuses.count(429)
    came = len(statuses) - refused
    first = [(statuses.index(429) + 1.0, "first 429")] if refused else []
    when = f", the first for request number {first[0][0]:.0f}" if first else ""
    words = f"{title}: of {len(statuses)} requests {came} came through and {refused} got 429{when}."
    series = {"came through so far": (sent, through), "sent so far": (sent, sent)}
    return plots.lines(series, alt=words, title=title, x="request number", y="requests", marks=first)
