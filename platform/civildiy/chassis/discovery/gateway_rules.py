"""The gateway's rules of one service, kept in Consul KV for Traefik.

A service's routers and middlewares are checked first, then written in one transaction, which also removes
old keys. One key that Traefik cannot decode stops every later change.
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

    `needs_user` puts forwardAuth in front. If several rules match, the highest `priority` wins.
    `limit` is (average per second, burst) for each client address. `add_prefix` is put in front of
    the path before the request reaches the service.
    """

    name: str
    rule: str
    priority: int
    needs_user: bool = True
    limit: tuple[int, int] | None = None
    add_prefix: str | None = None
    entry_point: str = "web"
    served_by: str = ""
    """The name of another service that answers in place of the own one; "" for none."""


def under(*prefixes: str) -> str:
    """Return a rule that matches each path and all paths below it, but no path that only begins alike.

    Each of `prefixes` is a path such as "/api/posts", without a slash at its end. The rule stands in
    brackets, so that `&&` can follow it. `/api/posts` and `/api/posts/7` match; `/api/postscript` does not.

    >>> under("/api/posts")
    '(Path(`/api/posts`) || PathPrefix(`/api/posts/`))'
    """
    parts = [f"Path(`{p}`) || PathPrefix(`{p}/`)" for p in prefixes]
    return "(" + " || ".join(parts) + ")"


INTERNAL = "internal"
"""The entry point that only the gateway itself reaches."""
UNAVAILABLE = "/unavailable"
READ_ONLY = "(Method(`GET`) || Method(`HEAD`))"


def unavailable(service: str, prefix: str, *, by: str, entry_point: str = "web") -> Route:
    """Return a route by which another service answers 503 while `service` has no healthy instance.

    Traefik drops a router whose service has no instance. Without this route, a request would then get
    the 404 of paths that do not exist.
    """
    return Route(
        f"unavailable-{entry_point}", under(prefix), priority=2, needs_user=False,
        add_prefix=f"{UNAVAILABLE}/{service}", entry_point=entry_point, served_by=by,
    )  # fmt: skip


def _auth_keys(name: str, auth_check_url: str) -> dict[str, str]:
    """Return the keys of a forwardAuth middleware called `name` that asks `auth_check_url`.

    The two lists of headers make sure that auth gets the client's token and no other header, and that the
    request gets the user's id and nothing else of the answer. With `trustForwardHeader` false, Traefik
    replaces X-Forwarded-For and similar headers, in which a client could name a false address.
    `maxResponseBodySize` is the most that Traefik reads of auth's answer, in bytes.
    """
    options = {
        "address": auth_check_url,
        "authRequestHeaders/0": "Authorization",
        "authResponseHeaders/0": USER_HEADER,
        "trustForwardHeader": "false",
        "maxResponseBodySize": str(MAX_AUTH_ANSWER_BYTES),
    }
    return {f"middlewares/{name}/forwardAuth/{option}": value for option, value in options.items()}


def _limit_keys(name: str, average: int, burst: int) -> dict[str, str]:
    """Return the keys of a rateLimit middleware called `name`; the numbers are those of a route's `limit`."""
    path = f"middlewares/{name}/rateLimit"
    return {f"{path}/average": str(average), f"{path}/burst": str(burst)}


def rule_set(service: str, routes: Sequence[Route], *, secret: str, auth_check_url: str) -> dict[str, str]:
    """Return all keys (below `traefik/http/`) and their values for the routes of `service`.

    `secret` is the value that the gateway sends in PROOF_HEADER; `auth_check_url` is the address that
    forwardAuth asks. Calls `_validate(service, routes)` first, which raises RulesRefused. All names
    of routers and middlewares begin with the service's name and "-". All values are strings.

    Middlewares, as `middlewares/<name>/<option>`: `<service>-clean` sets
    `headers/customRequestHeaders/<USER_HEADER>` to "" and `…/<PROOF_HEADER>` to the secret.
    `<service>-again` sets `retry/attempts` to RETRIES. `<service>-auth` exists only if a route needs a
    user, and has the keys of `_auth_keys`. `<router>-limit` sets `rateLimit/average` and
    `rateLimit/burst`; `<router>-prefix` sets `addPrefix/prefix`. Both exist only for a route with that field.
    `_limit_keys(name, average, burst)` returns the keys of a limit, as strings.

    Router `<service>-<route.name>`, as `routers/<router>/<option>`: `rule`, `priority`,
    `entryPoints/0`, `service` (the name and "@consulcatalog"), and `middlewares/0`, `…/1` and so on
    in this order: limit, clean, auth, again, prefix, each only if the route has it.
    Example: `routers/posts-read/service` is "posts@consulcatalog".
    """
    _validate(service, routes)
    clean, auth, again = f"{service}-clean", f"{service}-auth", f"{service}-again"
    # On every router, public ones too: what came from outside as identity or proof is replaced.
    headers = f"middlewares/{clean}/headers/customRequestHeaders"
    keys = {f"{headers}/{USER_HEADER}": "", f"{headers}/{PROOF_HEADER}": secret}
    # Between the death of an instance and Consul's notice: the next instance is asked. Traefik does so
    # only when no connection came about, so no request is carried out twice.
    keys[f"middlewares/{again}/retry/attempts"] = RETRIES
    if any(route.needs_user for route in routes):
        keys |= _auth_keys(auth, auth_check_url)
    for route in routes:
        name = f"{service}-{route.name}"
        chain = [clean, again]
        if route.limit:
            keys |= _limit_keys(f"{name}-limit", *route.limit)
            chain.insert(0, f"{name}-limit")
        if route.needs_user:
            chain.insert(-1, auth)
        if route.add_prefix:
            keys[f"middlewares/{name}-prefix/addPrefix/prefix"] = route.add_prefix
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
    """Raise RulesRefused, with the router's name and the reason, for routes that Traefik cannot use.

    Example: a route "read" of priority 0 raises RulesRefused("posts-read: priority 0 is outside 1..9999").
    Refused are: no routes (the message names the service), two of one name, a router's name
    (`<service>-<route.name>`) that is not a letter a-z followed by a-z, 0-9 and "-", a priority outside
    1..9999, a number below 1 in a limit, and a rule that `_validate_rule(router, rule)` refuses.
    """
    if not routes:
        raise RulesRefused(f"{service}: a service without routes cannot be reached")
    names: set[str] = set()
    for route in routes:
        where = f"{service}-{route.name}"
        if route.name in names:
            raise RulesRefused(f"{where}: two routes have this name, so one would hide the other")
        names.add(route.name)
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
    """Raise RulesRefused unless `rule` is made of matchers joined by &&, || and !, with pairs of brackets.

    `where` is the router's name, for the message. `_MATCHER` finds each complete matcher, such as
    "Path(`/a`)". Spaces around matchers, brackets and operators make no difference. Example:
    "Path(`/a`) && !(Method(`GET`) || Method(`HEAD`))" is accepted, and "Path(`/a`) Method(`GET`)",
    "(Path(`/a`)" and "Paht(`/a`)" are refused.
    """
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
        """Return the keys (below `traefik/http/`) and values of this service that are in KV now."""
        stored: dict[str, str] = {}
        for kind in ("routers", "middlewares"):
            _, entries = self._client.kv.get(f"{ROOT}/{kind}/{self._service}-", recurse=True)
            for entry in entries or []:
                value: bytes | None = entry["Value"]
                # A value that is not text was not written here: it differs, so it is written again.
                stored[entry["Key"].removeprefix(f"{ROOT}/")] = (value or b"").decode(errors="replace")
        return stored

    def publish(self, wanted: Mapping[str, str]) -> bool:
        """Make KV hold exactly `wanted` for this service, in one transaction.

        `self.current()` returns the keys and values of now. `_operation("delete", key)` and
        `_operation("set", key, value)` make one operation each, and
        `self._client.txn.put([operation, …])` carries out all or none. Returns whether anything had
        to change; with nothing to change it sends nothing. Raises RulesRefused for more than
        MAX_OPERATIONS operations, and consul.ConsulException when Consul refuses; then nothing has
        changed. Example: a key that is in KV and not in `wanted` is deleted.
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
