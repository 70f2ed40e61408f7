"""Compare the gateway's rules in force (what Traefik follows) with those in Consul KV.

Traefik decodes the whole tree below `traefik/` at once. If it cannot decode one key, it therefore applies
no later change at all, and keeps following its old rules.
"""

import base64
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from lab.backends.protocol import Backend
from lab.deadlines import slow
from lab.errors import LabError
from lab.finding import SECONDS, Finding, Findings
from lab.probes import local_http
from lab.text import shortened
from lab.topology import PATHS

ROOT = "traefik/"
KINDS = ("routers", "middlewares")
PROVIDER = "@consul"
LOG_LINES = 400
SHOWN = 5
REFUSED = re.compile(r"Provider error.*?error=(?P<error>\"(?:[^\"\\]|\\.)*\"|\S+).*providerName=consul\b")
NAMED = re.compile(r"node: (?P<node>[^\"\s]+)|\\?\"(?P<value>(?:[^\"\\]|\\[^\"])*)\\?\"")
WHAT = "gateway rules"


def look(backend: Backend) -> Findings:
    """Yield differences between KV and the rules in force, and their cause. Raises httpx.HTTPError."""
    addresses = backend.endpoints()
    keys = _keys(addresses["consul"])
    wrong = undecodable(keys, refusals(_log(backend)))
    for key, error in wrong[:SHOWN]:
        yield Finding(
            WHAT,
            f"Traefik cannot decode the key {shortened(key)} in Consul KV ({shortened(error)}),"
            " so it keeps its old rules and ignores every change",
            _delete(addresses["consul"], key),
        )
    missed: list[str] = []
    for kind in KINDS:
        stored = tree(keys, kind)
        url = f"{addresses['traefik']}/api/http/{kind}?per_page=1000"
        answer = local_http.get(url, timeout=SECONDS * slow()).raise_for_status().json()
        missed += differences(kind, stored, in_force(answer))
        yield from _disabled(kind, answer, addresses["consul"])
    if missed:
        rest = f" and {len(missed) - SHOWN} more" * (len(missed) > SHOWN)
        newest = "" if wrong else f"; the newest key in KV is {shortened(_newest(keys))}"
        yield Finding(
            WHAT,
            f"the gateway does not follow its rules in Consul KV: {'; '.join(missed[:SHOWN])}{rest}{newest}",
            "delete the key above; Traefik then applies the rules. Do not wait: ./lab restart traefik"
            if wrong else "./lab restart traefik; if that does not help: ./lab logs traefik",
        )  # fmt: skip
    elif not wrong:
        yield Finding(WHAT, f"{len({*tree(keys, 'routers')})} routers in force, the same as in Consul KV")


def _keys(consul: str) -> list[dict[str, Any]]:
    """Return all entries below ROOT: Key, Value (text), ModifyIndex."""
    answer = local_http.get(f"{consul}/v1/kv/{ROOT}?recurse=true", timeout=SECONDS * slow())
    if answer.status_code == 404:
        return []
    entries: list[dict[str, Any]] = answer.raise_for_status().json()
    for entry in entries:
        entry["Value"] = base64.b64decode(entry["Value"] or "").decode(errors="replace")
    return entries


def _log(backend: Backend) -> str:
    """Return the last lines of Traefik's log; '' where the log cannot be read."""
    try:
        command = backend.log_command("traefik", False, LOG_LINES)
    except LabError:
        return ""
    ran = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=10 * slow()
    )
    return ran.stdout.decode(errors="replace")


def refusals(log: str) -> list[str]:
    """Return each error about decoding from Traefik's log once, the newest first."""
    errors = [match["error"].strip('"') for match in REFUSED.finditer(log)]
    return [*dict.fromkeys(reversed(errors))]


def undecodable(keys: Iterable[Mapping[str, Any]], errors: Iterable[str]) -> list[tuple[str, str]]:
    """Return the stored keys that an error names by a field or a value, each with its error."""
    found: dict[str, str] = {}
    for error in errors:
        for named in NAMED.finditer(error):
            for entry in keys:
                segments = entry["Key"].removeprefix(ROOT).lower().split("/")
                by_field = named["node"] and named["node"].lower() in segments
                by_value = named["value"] is not None and entry["Value"] == named["value"]
                if by_field or by_value:
                    found.setdefault(entry["Key"], error.replace('\\"', '"'))
    return [*found.items()]


def tree(keys: Iterable[Mapping[str, Any]], kind: str) -> dict[str, dict[str, str]]:
    """Return each router or middleware in KV: its fields, such as 'entrypoints/0', and their values."""
    found: dict[str, dict[str, str]] = {}
    for entry in keys:
        _, _, path = entry["Key"].partition(f"{ROOT}http/{kind}/")
        name, _, field = path.partition("/")
        if name:
            found.setdefault(name, {})[field.lower()] = entry["Value"]
    return found


def in_force(answer: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the rules that Traefik's API reports from Consul KV, in the same form as `tree`."""
    rules = {}
    for rule in answer:
        if rule["name"].endswith(PROVIDER):
            rules[rule["name"].removesuffix(PROVIDER)] = dict(_leaves(rule, ""))
    return rules


def _leaves(value: Any, place: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves(below, f"{place}/{key}".lstrip("/").lower())
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _leaves(below, f"{place}/{number}")
    else:
        yield place, str(value).lower() if isinstance(value, bool) else str(value)


def differences(
    kind: str, stored: Mapping[str, Mapping[str, str]], active: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Describe the rules of KV that are not in force, and the rules in force that are not in KV."""
    noun = kind.removesuffix("s")
    found = [f"{noun} {shortened(name)} is not in force" for name in stored if name not in active]
    found += [
        f"{noun} {shortened(name)} is in force but no longer in KV" for name in active if name not in stored
    ]
    for name in stored.keys() & active.keys():
        for field, value in stored[name].items():
            if field in active[name] and not _same(value, active[name][field], field):
                found.append(
                    f"{noun} {shortened(name)} has {shortened(field)} = {shortened(active[name][field])},"
                    f" but KV has {shortened(value)}"
                )
    return sorted(found)


def _same(stored: str, active: str, field: str) -> bool:
    """Return whether two values mean the same: Traefik writes durations and provider names in its own way."""
    if re.fullmatch(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", active):
        return True
    named = field.startswith(("middlewares/", "service"))
    return stored.strip().lower() == active.lower() or (named and f"{stored}{PROVIDER}" == active)


def _disabled(kind: str, answer: Iterable[Mapping[str, Any]], consul: str) -> Findings:
    """Yield the rules that Traefik has read but cannot use."""
    for rule in answer:
        if rule["name"].endswith(PROVIDER) and rule.get("status") == "disabled":
            name = rule["name"].removesuffix(PROVIDER)
            why = "; ".join(map(str, rule.get("error", []))) or "it gives no reason"
            # A service publishes its own rules again. All others are stray.
            remedy = f"curl -X DELETE '{consul}/v1/kv/{quote(f'{ROOT}http/{kind}/{name}/')}?recurse=true'"
            absent = re.search(r'"(\w+)@consulcatalog" does not exist', why)
            if absent and absent[1] in PATHS:
                remedy = f"./lab restart {absent[1]}, if Consul lists no healthy instance of it"
            yield Finding(
                WHAT,
                f"Traefik cannot use the {kind.removesuffix('s')} {shortened(name)}: {shortened(why, 160)}",
                remedy,
            )


def _newest(keys: Iterable[Mapping[str, Any]]) -> str:
    return max(keys, key=lambda entry: int(entry["ModifyIndex"]), default={"Key": "none"})["Key"]


def _delete(consul: str, key: str) -> str:
    """Return the command that deletes one key, whatever characters its name has."""
    return f"curl -X DELETE '{consul}/v1/kv/{quote(key)}', then: ./lab restart traefik"
