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
    raise NotImplementedError("Lab 03, step 1: write under")


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
    raise NotImplementedError("Lab 03, step 2: write rule_set")


def _validate(service: str, routes: Sequence[Route]) -> None:
    raise NotImplementedError("Lab 03, step 3: write _validate")


_WORD = r"`[^`\x00-\x1f]+`"
_MATCHER = re.compile(
    rf"(?:Path|PathPrefix)\((?=`/){_WORD}\)"
    rf"|(?:Host|HostRegexp|PathRegexp|Method|ClientIP)\({_WORD}\)"
    rf"|(?:Header|HeaderRegexp|Query|QueryRegexp)\({_WORD}, ?{_WORD}\)"
)
"""The matchers of Traefik 3, each with as many words as it takes; a path begins with '/'."""


def _validate_rule(where: str, rule: str) -> None:
    """Accept matchers joined by &&, || and !, with brackets in pairs; nothing else."""
    raise NotImplementedError("Lab 03, step 3: write _validate_rule")


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
        raise NotImplementedError("Lab 03, step 4: write RouteStore.publish")


def _operation(verb: str, key: str, value: str | None = None) -> dict[str, dict[str, str]]:
    change = {"Verb": verb, "Key": f"{ROOT}/{key}"}
    if value is not None:
        change["Value"] = base64.b64encode(value.encode()).decode()
    return {"KV": change}
