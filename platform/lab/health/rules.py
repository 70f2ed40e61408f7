"""The gateway's rules: those that Traefik follows against those in Consul KV.

Traefik decodes the whole tree below `traefik/` at once. One key that it cannot decode therefore keeps all
later changes from being applied, and Traefik goes on with its old rules.
"""

import base64
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from lab.backends.protocol import Backend
from lab.errors import LabError
from lab.health.finding import SECONDS, Finding, Findings
from lab.probes import local_http
from lab.probes.readiness import slow
from lab.text import shortened

ROOT = "traefik/"
KINDS = ("routers", "middlewares")
PROVIDER = "@consul"
LOG_LINES = 400
SHOWN = 5
REFUSED = re.compile(r"Provider error.*?error=(?P<error>\"(?:[^\"\\]|\\.)*\"|\S+).*providerName=consul\b")
NAMED = re.compile(r"node: (?P<node>[^\"\s]+)|\\?\"(?P<value>(?:[^\"\\]|\\[^\"])*)\\?\"")
WHAT = "gateway rules"


def look(backend: Backend) -> Findings:
    """Differences between KV and the rules in force, and the key that causes them. Raises httpx.HTTPError."""
    addresses = backend.endpoints()
    keys = _keys(addresses["consul"])
    wrong = [*undecodable(keys, refusals(_log(backend)))]
    for key, error in wrong[:SHOWN]:
        yield Finding(
            WHAT,
            f"Traefik cannot decode the key {shortened(key)} in Consul KV ({shortened(error)}),"
            " so it keeps its old rules and applies no change",
            _delete(addresses["consul"], key),
        )
    missed: list[str] = []
    for kind in KINDS:
        told = tree(keys, kind)
        url = f"{addresses['traefik']}/api/http/{kind}?per_page=1000"
        answer = local_http.get(url, timeout=SECONDS * slow()).raise_for_status().json()
        missed += differences(kind, told, in_force(answer))
        yield from _disabled(kind, answer)
    if missed:
        rest = f" and {len(missed) - SHOWN} more" * (len(missed) > SHOWN)
        newest = "" if wrong else f"; the newest key in KV is {shortened(_newest(keys))}"
        yield Finding(
            WHAT,
            f"the gateway does not follow its rules in Consul KV: {'; '.join(missed[:SHOWN])}{rest}{newest}",
            "delete the key above; Traefik then tries again, at once after: ./lab restart traefik"
            if wrong else "./lab restart traefik; then, if it stays: ./lab logs traefik",
        )  # fmt: skip
    elif not wrong:
        yield Finding(WHAT, f"{len({*tree(keys, 'routers')})} routers in force, as Consul KV has them")


def _keys(consul: str) -> list[dict[str, Any]]:
    """All entries below ROOT: Key, Value (text), ModifyIndex."""
    answer = local_http.get(f"{consul}/v1/kv/{ROOT}?recurse=true", timeout=SECONDS * slow())
    if answer.status_code == 404:
        return []
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    for entry in found:
        entry["Value"] = base64.b64decode(entry["Value"] or "").decode(errors="replace")
    return found


def _log(backend: Backend) -> str:
    """The last lines of Traefik's log; '' where it cannot be seen."""
    try:
        command = backend.log_command("traefik", False, LOG_LINES)
    except LabError:
        return ""
    ran = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=10 * slow()
    )
    return ran.stdout.decode(errors="replace")


def refusals(log: str) -> list[str]:
    """What Traefik said it could not decode, newest first, each once."""
    said = [found["error"].strip('"') for found in REFUSED.finditer(log)]
    return [*dict.fromkeys(reversed(said))]


def undecodable(keys: Iterable[Mapping[str, Any]], errors: Iterable[str]) -> list[tuple[str, str]]:
    """Keys that are there now and that an error is about, by the field or the value that it names."""
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
    """Each router or middleware in KV: its fields, such as 'entrypoints/0', and their values."""
    found: dict[str, dict[str, str]] = {}
    for entry in keys:
        _, _, path = entry["Key"].partition(f"{ROOT}http/{kind}/")
        name, _, field = path.partition("/")
        if name:
            found.setdefault(name, {})[field.lower()] = entry["Value"]
    return found


def in_force(answer: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The same of Traefik's API, for what came from Consul KV."""
    found = {}
    for one in answer:
        if one["name"].endswith(PROVIDER):
            found[one["name"].removesuffix(PROVIDER)] = dict(_leaves(one, ""))
    return found


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
    kind: str, told: Mapping[str, Mapping[str, str]], true: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """In words, what of KV is not in force, and what is in force without being in KV."""
    one = kind.removesuffix("s")
    found = [f"{one} {shortened(name)} is not in force" for name in told if name not in true]
    found += [f"{one} {shortened(name)} is in force and no longer in KV" for name in true if name not in told]
    for name in told.keys() & true.keys():
        for field, value in told[name].items():
            if field in true[name] and not _same(value, true[name][field], field):
                found.append(
                    f"{one} {shortened(name)} has {shortened(field)} = {shortened(true[name][field])},"
                    f" KV says {shortened(value)}"
                )
    return sorted(found)


def _same(told: str, true: str, field: str) -> bool:
    """Whether two values mean the same: Traefik writes durations and names of providers in its own way."""
    if re.fullmatch(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", true):
        return True
    named = field.startswith(("middlewares/", "service"))
    return told.strip().lower() == true.lower() or (named and f"{told}{PROVIDER}" == true)


def _disabled(kind: str, answer: Iterable[Mapping[str, Any]]) -> Findings:
    """Rules that Traefik has read and cannot use."""
    for one in answer:
        if one["name"].endswith(PROVIDER) and one.get("status") == "disabled":
            name = one["name"].removesuffix(PROVIDER)
            why = "; ".join(map(str, one.get("error", []))) or "it gives no reason"
            remedy = f"correct or delete the keys below {ROOT}http/{kind}/{shortened(name)} in Consul KV"
            if absent := re.search(r'"(\w+)@consulcatalog" does not exist', why):
                remedy = f"./lab restart {absent[1]}, if Consul lists no healthy instance of it"
            yield Finding(
                WHAT,
                f"Traefik does not use the {kind.removesuffix('s')} {shortened(name)}: {shortened(why, 160)}",
                remedy,
            )


def _newest(keys: Iterable[Mapping[str, Any]]) -> str:
    return max(keys, key=lambda entry: int(entry["ModifyIndex"]), default={"Key": "none"})["Key"]


def _delete(consul: str, key: str) -> str:
    """The command that deletes one key, whatever its name has in it."""
    return f"curl -X DELETE '{consul}/v1/kv/{quote(key)}', then: ./lab restart traefik"
