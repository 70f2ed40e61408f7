"""A service of the checks' own, for whose routes the learner's functions are called one by one.

What a check does not judge comes from the platform's module, which this process has: so a mistake in one step
fails only the check of this step.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from random import Random
from typing import Any

import httpx
from grading import checked_http
from grading.learner_process import Beside, beside
from grading.outcome import wrong
from grading.reach import Recorder, consul, environment, recorder
from grading.recording_proxy import RecordingProxy, recording_proxy
from grading.stack import ENDPOINTS
from grading.system import eventually

from civildiy.chassis.discovery.gateway_rules import Route, RouteStore
from civildiy.chassis.discovery.membership import consul_client
from lab.course.exercise import Exercise
from lab03_gateway.kv import ROOT
from lab03_gateway.posts import GATEWAY

SECRET = "s" * 20
PROGRAM = """
import consul, contextlib, json, os, sys
from civildiy.chassis.discovery.gateway_rules import *
from civildiy.chassis.discovery import gateway_rules
name, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = consul.Consul(host=host, port=port)
client.http.session.trust_env = False  # no proxy stands between a service and its agent
store = RouteStore(client, name)
def route(fields):
    limit = fields.pop("limit")
    return Route(**fields, limit=tuple(limit) if limit else None)
@contextlib.contextmanager
def replaced(stand_in):
    own = gateway_rules._validate
    def refuse(*arguments):
        raise RulesRefused("refused by the check")
    if stand_in:
        gateway_rules._validate = refuse
    try:
        yield
    finally:
        gateway_rules._validate = own
for line in sys.stdin:
    what, given = json.loads(line)
    try:
        if what == "constants":
            answer = [RETRIES, str(MAX_AUTH_ANSWER_BYTES)]
        elif what == "under":
            answer = under(*given)
        elif what == "publish":
            answer = store.publish(given)
        else:
            routes = [route(fields) for fields in given["routes"]]
            if what == "validate":
                gateway_rules._validate(name, routes)
                answer = "accepted"
            else:
                with replaced(what == "validates"):
                    answer = rule_set(name, routes, secret=given["secret"], auth_check_url=given["auth"])
    except RulesRefused as refused:
        answer = "RulesRefused: " + " ".join(str(refused).split())
    except NotImplementedError:
        raise
    except Exception as error:
        answer = f"{type(error).__name__}: " + " ".join(str(error).split())[:200]
    say(json.dumps(answer))
"""


class Probe:
    """A service of its own, for which the learner's functions work."""

    def __init__(self, name: str, module: Beside, proxy: RecordingProxy) -> None:
        self.name, self._module, self.proxy = name, module, proxy
        self.auth = environment("posts")["AUTH_CHECK_URL"]
        _, _, address = ENDPOINTS["consul"].partition("://")
        host, _, port = address.partition(":")
        self.store = RouteStore(consul_client(host, int(port)), name)
        """The platform's own."""

    def _ask(self, what: str, given: object, title: str) -> Any:
        self._module.tell(json.dumps([what, given]))
        return json.loads(self._module.hear(title, within=30))

    def under(self, *paths: str) -> object:
        """The learner's rule for these paths."""
        return self._ask("under", paths, "under() to return")

    def constants(self) -> dict[str, str]:
        """The values of the constants in the learner's module, by the end of the key that holds them."""
        retries, most = self._ask("constants", None, "the constants of gateway_rules.py")
        return {"/retry/attempts": str(retries), "/forwardAuth/maxResponseBodySize": str(most)}

    def rule_set(self, routes: Sequence[Route], auth: str = "") -> Any:
        """The learner's keys for the routes, or what was raised, as text."""
        given = {"routes": [asdict(route) for route in routes], "secret": SECRET, "auth": auth or self.auth}
        return self._ask("rule_set", given, "rule_set() to return")

    def validate(self, routes: Sequence[Route], case: str) -> str:
        """'accepted' when the learner's _validate() takes the routes, or what was raised."""
        given = {"routes": [asdict(route) for route in routes]}
        return str(self._ask("validate", given, f"_validate() with the rule set '{case}'"))

    def validates(self, routes: Sequence[Route]) -> Any:
        """What the learner's rule_set() does while a stand-in for _validate() refuses everything."""
        given = {"routes": [asdict(route) for route in routes], "secret": SECRET, "auth": self.auth}
        return self._ask("validates", given, "rule_set() to return")

    def publish(self, keys: Mapping[str, str]) -> Any:
        """What the learner's publish() returns, or what was raised, as text."""
        return self._ask("publish", dict(keys), "publish() to return")


@contextmanager
def probe(lab: Exercise, rng: Random) -> Iterator[Probe]:
    """Its keys are removed afterwards."""
    name = f"probe{rng.getrandbits(40):x}"
    try:
        with (
            recording_proxy() as proxy,
            beside(lab, "posts", PROGRAM, name, proxy.host, str(proxy.port)) as module,
        ):
            yield Probe(name, module, proxy)
    finally:
        for kind in ("routers", "middlewares"):
            consul("DELETE", f"/v1/kv/{ROOT}/{kind}/{name}-?recurse=true")


def good_routes(name: str) -> list[Route]:
    """Routes of every kind; their rules are written here, so they judge no rule of the learner's."""
    return [
        Route("open", f"Path(`/{name}/open`)", 100, needs_user=False),
        Route("login", f"Path(`/{name}/login`)", 200, needs_user=False, limit=(1, 3)),
        Route("bursty", f"Path(`/{name}/bursty`)", 200, needs_user=False, limit=(1, 25)),
        Route("guarded", f"Path(`/{name}/guarded`)", 100, limit=(1, 3)),
        Route("user", f"Path(`/{name}/user`)", 100),
        Route("first", f"Path(`/{name}/both`)", 300, needs_user=False, add_prefix="/first"),
        Route("second", f"Path(`/{name}/both`) && (Method(`GET`) || Method(`HEAD`))", 30, needs_user=False),
        Route("inside", f"Path(`/{name}/inside`)", 100, needs_user=False, entry_point="internal"),
        Route(
            "absent",
            f"Path(`/{name}/absent`)",
            2,
            needs_user=False,
            add_prefix=f"/unavailable/{name}",
            served_by="auth",
        ),
    ]


@contextmanager
def live_probe(lab: Exercise, rng: Random, auth: str = "") -> Iterator[tuple[Probe, Recorder, httpx.Client]]:
    """The keys of the learner's rule_set() are in force, and lead to an instance that records."""
    with (
        probe(lab, rng) as service,
        recorder(service.name) as there,
        checked_http.client(base_url=GATEWAY, timeout=10) as http,
    ):
        keys = service.rule_set(good_routes(service.name), auth)
        if isinstance(keys, str):
            refuse_good(keys)
        publish_live(service, keys, http, f"/{service.name}/open")
        there.seen.clear()
        yield service, there, http


def refuse_good(saw: str) -> None:
    """Good routes were not taken. Raises Wrong."""
    wrong("called rule_set() with good routes", expected="keys and values", saw=saw,
          means="rule_set() raised for routes that Traefik can read. If it is RulesRefused, look at"
          " `_validate` (step 3).")  # fmt: skip


def publish_live(service: Probe, keys: Mapping[str, str], http: httpx.Client, path: str) -> None:
    """Write the keys with the platform's own store, and wait until the gateway serves `path`."""
    service.store.publish(keys)
    eventually(
        lambda: http.get(path).status_code == 200,
        within=8,
        what=f"GET {path} to reach the service, whose keys are in Consul KV",
        means="The gateway has no router that matches this path, or its chain of middlewares names one"
        " that does not"
        " exist. Compare the keys of the router with those of the picture on the page.",
    )
