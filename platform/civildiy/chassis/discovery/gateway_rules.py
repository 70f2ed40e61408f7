"""The gateway's rules of one service, kept in Consul KV for Traefik.

A service brings its own rules: routers, and the middlewares they use, all named after it. They are
checked first, then written in one transaction that also removes what is no longer wanted, for
Traefik reads the whole tree and one key that it cannot decode stops every later change.

Sources: https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/kv/ and
https://developer.hashicorp.com/consul/api-docs/txn
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import consul

from civildiy.chassis.identity.caller import PROOF_HEADER, USER_HEADER

ROOT = "traefik/http"
MAX_OPERATIONS = 128
"""Consul's limit for one transaction."""
MAX_AUTH_ANSWER_BYTES = 64 * 1024
RETRIES = "3"


class RulesRefused(ValueError):
    """A rule set that must not reach the gateway; the text says which rule and why."""


@dataclass(frozen=True)
class Route:
    """One router: requests that match `rule` go to the service.

    `needs_user` puts forwardAuth in front. A higher `priority` is asked first.
    `limit` is (average per second, burst) for each client address.
    """

    name: str
    rule: str
    priority: int
    needs_user: bool = True
    limit: tuple[int, int] | None = None
    add_prefix: str | None = None
    entry_point: str = "web"
    served_by: str = ""
    """Another service, for requests that its own instances cannot take."""


def under(*prefixes: str) -> str:
    """The rule for each path itself and everything below it, but not for a longer name.

    >>> under("/api/posts")
    '(Path(`/api/posts`) || PathPrefix(`/api/posts/`))'
    """
    parts = [f"Path(`{p}`) || PathPrefix(`{p}/`)" for p in prefixes]
    return "(" + " || ".join(parts) + ")"


INTERNAL = "internal"
"""The entry point that only the gateway itself reaches."""

AWAY = "/away"


def away(service: str, prefix: str, *, by: str, entry_point: str = "web") -> Route:
    """Answers for `service` while it has no healthy instance: 503, by another service.

    Traefik drops a router whose service is empty; without this one the request would fall
    through to the 404 of paths that do not exist.
    """
    return Route(
        f"away-{entry_point}", under(prefix), priority=2, needs_user=False,
        add_prefix=f"{AWAY}/{service}", entry_point=entry_point, served_by=by,
    )  # fmt: skip


READ_ONLY = "(Method(`GET`) || Method(`HEAD`))"


def rule_set(service: str, routes: Sequence[Route], *, secret: str, auth_check_url: str) -> dict[str, str]:
    """All KV keys (below `traefik/http/`) and their values for the routes of `service`.

    Raises RulesRefused when a route is not usable.
    """
    _validate(service, routes)
    clean, auth, again = f"{service}-clean", f"{service}-auth", f"{service}-again"
    keys: dict[str, str] = {}

    def middleware(name: str, **options: str) -> None:
        for option, value in options.items():
            keys[f"middlewares/{name}/{option.replace('__', '/')}"] = value

    # On every router, public ones too: what came from outside as identity or proof is replaced.
    headers = "headers__customRequestHeaders__"
    middleware(clean, **{headers + USER_HEADER: "", headers + PROOF_HEADER: secret})
    # Between the death of an instance and Consul's notice: the next instance is asked. Traefik does so
    # only when no connection came about, so no request is carried out twice.
    middleware(again, retry__attempts=RETRIES)
    if any(route.needs_user for route in routes):
        middleware(
            auth,
            forwardAuth__address=auth_check_url,
            forwardAuth__authRequestHeaders__0="Authorization",
            forwardAuth__authResponseHeaders__0=USER_HEADER,
            forwardAuth__trustForwardHeader="false",
            forwardAuth__maxResponseBodySize=str(MAX_AUTH_ANSWER_BYTES),
        )
    for route in routes:
        name = f"{service}-{route.name}"
        chain = [clean, again]
        if route.limit:
            average, burst = route.limit
            middleware(f"{name}-limit", rateLimit__average=str(average), rateLimit__burst=str(burst))
            chain.insert(0, f"{name}-limit")
        if route.needs_user:
            chain.insert(-1, auth)
        if route.add_prefix:
            middleware(f"{name}-prefix", addPrefix__prefix=route.add_prefix)
            chain.append(f"{name}-prefix")
        keys[f"routers/{name}/rule"] = route.rule
        keys[f"routers/{name}/priority"] = str(route.priority)
        keys[f"routers/{name}/entryPoints/0"] = route.entry_point
        # Instances come from the catalog, so scaling and failing need no change here.
        keys[f"routers/{name}/service"] = f"{route.served_by or service}@consulcatalog"
        for place, used in enumerate(chain):
            keys[f"routers/{name}/middlewares/{place}"] = used
    return keys


def _validate(service: str, routes: Sequence[Route]) -> None:
    if not routes:
        raise RulesRefused(f"{service}: a service without routes cannot be reached")
    names = [route.name for route in routes]
    if len(set(names)) != len(names):
        raise RulesRefused(f"{service}: two routes have the same name, one would hide the other")
    for route in routes:
        where = f"{service}-{route.name}"
        if not re.fullmatch(r"[a-z][a-z0-9-]*", where):
            raise RulesRefused(f"{where}: a name holds a-z, 0-9 and '-' only")
        if not 0 < route.priority < 10_000:
            raise RulesRefused(f"{where}: priority {route.priority} is outside 1..9999")
        if route.limit and min(route.limit) < 1:
            raise RulesRefused(f"{where}: a limit below 1 blocks everybody")
        _validate_rule(where, route.rule)


_WORD = r"`[^`\x00-\x1f]+`"
_MATCHER = re.compile(
    rf"(?:Path|PathPrefix)\((?=`/){_WORD}\)"
    rf"|(?:Host|HostRegexp|PathRegexp|Method|ClientIP)\({_WORD}\)"
    rf"|(?:Header|HeaderRegexp|Query|QueryRegexp)\({_WORD}, ?{_WORD}\)"
)
"""The matchers of Traefik 3, each with as many words as it takes; a path begins with '/'."""


def _validate_rule(where: str, rule: str) -> None:
    """Accept matchers joined by &&, || and !, with brackets in pairs; nothing else."""
    between = _MATCHER.sub("", rule)
    rest = re.sub(r"\s*(&&|\|\||[()!M])\s*", r"\1", _MATCHER.sub("M", rule))
    previous = ""
    while previous != rest:
        previous = rest
        rest = re.sub(r"!M|\(M\)|M(?:&&|\|\|)M", "M", rest)
    if rest != "M" or re.search(r"[^\s()!&|]", between):
        raise RulesRefused(f"{where}: Traefik cannot read the rule {rule!r}")


class RouteStore:
    """The rules of one service in Consul KV."""

    def __init__(self, client: consul.Consul, service: str) -> None:
        self._client = client
        self._service = service

    def current(self) -> dict[str, str]:
        """The keys and values of this service that stand in KV now."""
        found: dict[str, str] = {}
        for kind in ("routers", "middlewares"):
            _, entries = self._client.kv.get(f"{ROOT}/{kind}/{self._service}-", recurse=True)
            for entry in entries or []:
                value: bytes | None = entry["Value"]
                # What is no text is nothing that we wrote: it reads as something else and is written anew.
                found[entry["Key"].removeprefix(f"{ROOT}/")] = (value or b"").decode(errors="replace")
        return found

    def publish(self, wanted: Mapping[str, str]) -> bool:
        """Make KV hold exactly `wanted` for this service, in one transaction.

        Returns whether anything had to change. Raises RulesRefused when the change is too large
        for one transaction, and consul.ConsulException when Consul refuses it: then nothing
        has changed.
        """
        current = self.current()
        stale = current.keys() - wanted.keys()
        changed = {key: value for key, value in wanted.items() if current.get(key) != value}
        operations = [_operation("delete", key) for key in sorted(stale)]
        operations += [_operation("set", key, value) for key, value in sorted(changed.items())]
        if len(operations) > MAX_OPERATIONS:
            raise RulesRefused(f"{len(operations)} changes; one transaction takes {MAX_OPERATIONS}")
        if operations:
            self._client.txn.put(operations)
        return bool(operations)


def _operation(verb: str, key: str, value: str | None = None) -> dict[str, dict[str, str]]:
    change = {"Verb": verb, "Key": f"{ROOT}/{key}"}
    if value is not None:
        change["Value"] = base64.b64encode(value.encode()).decode()
    return {"KV": change}
