"""Find what the running system shows about the learner's code, the most useful fact first."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from civildiy.course_runtime.finder import fingerprint
from civildiy.feed import keys
from lab.backends.protocol import Backend
from lab.course import running
from lab.course.exercise import Exercise
from lab.course.options import lacking
from lab.health.examine import lines, problems
from lab.home import LABS, Home
from lab.probes import databases, local_http, servers
from lab.topology import PATHS

RECENT_SECONDS = 600.0


def findings(home: Home, backend: Backend, lab: Exercise, *, begun: bool) -> list[str]:
    """Return what keeps the learner's code from working, as sentences; [] when the system shows no problem.

    `begun` tells whether anything is written. Without any code, the platform's own code runs, and there is
    nothing to examine.
    """
    if not backend.running():
        return ["The system is not running. Start it: ./lab up"]
    if away := servers.unanswered(backend.endpoints()):
        return [f"{', '.join(away)} does not answer. Your code is not the cause. Repair the system: ./lab up"]
    wrong = [f"The system differs from its configuration. {line}" for line in lines(problems(home, backend))]
    if lack := lacking(backend, lab):
        return [lack]
    if not running.is_active(home, lab):
        return [*wrong, f"The platform's own code runs. Let the system run yours: ./lab start {lab.number}"]
    if unread := [
        file for file in running.running_files(home, lab).values() if fingerprint(file) == "missing"
    ]:
        names = ", ".join(f"labs/{file.relative_to(LABS)}" for file in unread)
        return [*wrong, f"{names} cannot be read. Get a fresh starter: ./lab reset {lab.number}"]
    found = wrong + [finding for unit in lab.units for finding in _of_unit(home, backend, unit)]
    try:
        if begun and (look := LOOKS.get(lab.number)):
            found += look(backend)
    except Exception as error:  # a driver may raise anything, and a hint must not fail
        found.append(f"The system could not be examined further ({type(error).__name__}).")
    return found


def _of_unit(home: Home, backend: Backend, unit: str) -> list[str]:
    """Return what the unit's log reports about the learner's code as it was saved last."""
    starts = [entry for entry in running.entries(backend, unit) if entry["kind"] == "started"]
    saved = {module: fingerprint(LABS / file) for module, file in running.code_of(home, unit).items()}
    if not starts or starts[-1].get("files") != saved:
        return [f"{unit} does not run what you saved. Find the cause: ./lab logs {unit}"]
    if failed := running.unusable(backend, unit):
        return [
            f"{unit} cannot use one of your files, so the platform's code runs in its place:\n{one}"
            for one in failed
        ]
    since = max(float(starts[-1]["time"]), time.time() - RECENT_SECONDS)
    happened = [i for i in running.incidents(backend, (unit,), since) if not i.not_attempted]
    if running.is_waiting(backend, unit):
        all_of_it = running.incidents(backend, (unit,), float(starts[-1]["time"]))
        last = f"\n{all_of_it[-1]}" if all_of_it else ""
        return [f"{unit} cannot start with your code, and waits for the next save.{last}"]
    return [f"The last error of your code in {unit}:\n{happened[-1]}"] if happened else []


def _answer(endpoints: dict[str, str], unit: str, path: str) -> str:
    """Return a sentence about the answer of a service at its own address; '' for status 200."""
    try:
        answer = local_http.get(endpoints[unit] + path, timeout=3)
    except httpx.HTTPError as error:
        return f"GET {path} at {unit} gets no answer ({type(error).__name__})."
    if answer.status_code == 200:
        return ""
    if answer.status_code == 500:
        return f"GET {path} at {unit} answers 500: the code raised an exception that nothing caught."
    return f"GET {path} at {unit} answers {answer.status_code}: {' '.join(answer.text.split())[:160]}"


def _answers(*asked: tuple[str, str]) -> Callable[[Backend], list[str]]:
    return lambda backend: [
        said for unit, path in asked if (said := _answer(backend.endpoints(), unit, path))
    ]


def _catalog(backend: Backend) -> list[str]:
    """Examine profile's entries in Consul's catalog (lab 02)."""
    endpoints = backend.endpoints()
    entries = local_http.get(f"{endpoints['consul']}/v1/health/service/profile", timeout=3).json()
    if not entries:
        return ["Consul's catalog has no instance of profile, so the gateway cannot find it."]
    found = []
    for entry in entries:
        service, checks = entry["Service"], [c for c in entry["Checks"] if c["ServiceID"]]
        where = f"{service['ID']} at {service['Address']}:{service['Port']}"
        if not checks:
            found.append(f"Consul lists {where} without a health check.")
        found += [f"Consul lists {where} as {c['Status']}: {' '.join(c['Output'].split())[:160]}"
                  for c in checks if c["Status"] != "passing"]  # fmt: skip
    if len(entries) > 1:
        found.append(f"Consul lists {len(entries)} instances of profile, but only one runs.")
    return found


def _rules(backend: Backend) -> list[str]:
    """Examine posts' rules in Consul KV, and the gateway's answer (lab 03)."""
    endpoints = backend.endpoints()
    found = []
    for kind in ("routers", "middlewares"):
        url = f"{endpoints['consul']}/v1/kv/traefik/http/{kind}/posts-?keys=true"
        if local_http.get(url, timeout=3).status_code == 404:
            found.append(f"Consul KV has no key that begins with traefik/http/{kind}/posts-.")
    if not found:
        status = local_http.get(f"{endpoints['gateway']}/api/{PATHS['posts']}?limit=1", timeout=5).status_code
        if status != 200:
            found.append(f"The keys are in Consul KV, but GET /api/posts at the gateway answers {status}.")
    return found


def _keys(backend: Backend) -> list[str]:
    """Examine auth's readiness and its public keys (lab 04)."""
    endpoints = backend.endpoints()
    if finding := _answer(endpoints, "auth", "/ready"):
        return [finding]
    keys = local_http.get(f"{endpoints['auth']}/api/auth/.well-known/jwks.json", timeout=3).json()["keys"]
    return [] if keys else ["auth publishes no public key, so no service can verify a token."]


def _databases(backend: Backend) -> list[str]:
    """Examine the services' readiness, and their indexes in the databases (lab 05)."""
    found = _answers(("auth", "/ready"), ("profile", "/ready"), ("posts", "/ready"))(backend)
    unique = databases.rows(backend, "auth", "SELECT indexdef FROM pg_indexes WHERE tablename = 'users'")
    words = " ".join(str(row[0]) for row in unique if "UNIQUE" in str(row[0]))
    found += [f"The table users has no unique index on {name}." for name in ("email", "username")
              if name not in words]  # fmt: skip
    with databases.mongodb(backend.endpoints()["mongodb"]) as client:
        known = databases.index_names(client)
    lacking = [name for name in ("user_id", "expiry", "outbox") if name not in known]
    return found + [f"The collection posts has no index called {name}." for name in lacking]


def _outbox(backend: Backend) -> list[str]:
    """Count the posts with pending or parked events (lab 06)."""
    endpoints = backend.endpoints()
    with databases.mongodb(endpoints["mongodb"]) as client:
        waiting = client[databases.POSTS][databases.POSTS].count_documents(
            {"settled": False}, limit=1000, maxTimeMS=3000
        )
        parked = client[databases.POSTS][databases.POSTS].count_documents(
            {"parked.0": {"$exists": True}}, limit=1, maxTimeMS=3000
        )
    found = (
        [f"{waiting} posts have pending events in their outbox, which the relay has not published."]
        if waiting
        else []
    )
    return found + (
        ["The relay has parked events. The field `parked` of their posts tells why."] if parked else []
    )


def _view(backend: Backend) -> list[str]:
    """Examine the projector and its lag, as the feed's statistics show them (labs 07 and 08)."""
    endpoints = backend.endpoints()
    if finding := _answer(endpoints, "feed", "/api/activity-stream/stats"):
        return [finding]
    stats: dict[str, Any] = local_http.get(f"{endpoints['feed']}/api/activity-stream/stats", timeout=5).json()
    found = []
    if stats.get("consumer_state") != "running":
        found.append(f"The projector is not running: its state is {stats.get('consumer_state')!r}.")
    if stats.get("lag_events") is None:
        found.append("The feed cannot tell its lag (lag_events is null).")
    elif stats["lag_events"]:
        found.append(f"The view is {stats['lag_events']} events behind the topic.")
    if dead := (stats.get("counters") or {}).get("dead"):
        found.append(
            f"{dead} events are in the dead letter topic. See their reasons: ./lab redrive --dry-run"
        )
    return found


def _lists(backend: Backend) -> list[str]:
    """Compare the lengths of the feed's lists with their limits (lab 07)."""
    found = []
    for name, length in databases.list_lengths(backend.endpoints()["redis"]).items():
        most = keys.GLOBAL_MAX if name == keys.GLOBAL else keys.USER_MAX
        if length > most:
            found.append(
                f"The list {name} has {length} entries, and {most} are allowed. Your script must shorten it:"
                f" `LTRIM key 0 {most - 1}` keeps {most} entries, because both ends are kept."
            )
    return found[:1]


def _signals(backend: Backend) -> list[str]:
    """Examine which units answer the collector of metrics and send spans (lab 09)."""
    endpoints = backend.endpoints()
    found = []
    up = local_http.get(f"{endpoints['metrics']}/api/v1/query", params={"query": "up == 0"}, timeout=5)
    found += [f"{each['metric']['job']} does not answer the collector of metrics."
              for each in up.json()["data"]["result"]]  # fmt: skip
    sent = set(local_http.get(f"{endpoints['traces']}/api/services", timeout=5).json()["data"] or ())
    if silent := [unit for unit in ("posts", "posts-relay", "feed-projector") if unit not in sent]:
        found.append(f"Jaeger has no span of {', '.join(silent)}. Write a post, then look again.")
    return found


LOOKS: dict[str, Callable[[Backend], list[str]]] = {
    "01": _answers(("profile", "/health"), ("profile", "/ready")),
    "02": _catalog, "03": _rules, "04": _keys, "05": _databases, "06": _outbox,
    "07": lambda backend: _view(backend) + _lists(backend), "08": _view,
    "09": _signals,
}  # fmt: skip
