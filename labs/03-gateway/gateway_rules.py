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
    raise NotImplementedError("Lab 03, step 1: write under")


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
    raise NotImplementedError("Lab 03, step 2: write rule_set")


def _validate(service: str, routes: Sequence[Route]) -> None:
    """Raise RulesRefused, with the router's name and the reason, for routes that Traefik cannot use.

    Example: a route "read" of priority 0 raises RulesRefused("posts-read: priority 0 is outside 1..9999").
    Refused are: no routes (the message names the service), two of one name, a router's name
    (`<service>-<route.name>`) that is not a letter a-z followed by a-z, 0-9 and "-", a priority outside
    1..9999, a number below 1 in a limit, and a rule that `_validate_rule(router, rule)` refuses.
    """
    raise NotImplementedError("Lab 03, step 3: write _validate")


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
    raise NotImplementedError("Lab 03, step 3: write _validate_rule")


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
        raise NotImplementedError("Lab 03, step 4: write RouteStore.publish")


def _operation(verb: str, key: str, value: str | None = None) -> dict[str, dict[str, str]]:
    change = {"Verb": verb, "Key": f"{ROOT}/{key}"}
    if value is not None:
        change["Value"] = base64.b64encode(value.encode()).decode()
    return {"KV": change}
