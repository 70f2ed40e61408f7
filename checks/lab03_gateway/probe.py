"""A service of the checks' own, whose rules the learner's module publishes."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import httpx
from grading import checked_http
from grading.learner_process import Beside, beside
from grading.reach import Recorder, consul, recorder
from grading.recording_proxy import RecordingProxy, recording_proxy
from grading.system import eventually

from lab.course.exercise import Exercise
from lab03_gateway.kv import ROOT
from lab03_gateway.posts import GATEWAY

PUBLISH = """
import consul, os, sys
from civildiy.chassis.discovery.gateway_rules import *
name, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
good = [
    Route("open", f"Path(`/{name}/open`)", 100, needs_user=False),
    Route("login", f"Path(`/{name}/login`)", 200, needs_user=False, limit=(1, 3)),
    Route("guarded", f"Path(`/{name}/guarded`)", 100, limit=(1, 3)),
    Route("first", f"Path(`/{name}/both`)", 300, needs_user=False, add_prefix="/first"),
    Route("second", f"Path(`/{name}/both`) && (Method(`GET`) || Method(`HEAD`))", 30, needs_user=False),
    Route("below", under(f"/{name}/x", f"/{name}/y"), 100, needs_user=False),
    away(name, f"/{name}/away", by="auth"),
]
nowhere = "Host(`nowhere.example`)"
cases = {
    "good": good,
    "changed": [*good[2:], Route("login", f"Path(`/{name}/login`)", 210, needs_user=False, limit=(1, 3))],
    "not": [Route("a", f"!Path(`/{name}/a`) && {nowhere}", 10)],
    "nested": [Route("a", f"(({nowhere} && !(PathPrefix(`/a`))) || (Path(`/b`) && {nowhere}))", 10)],
    "two arguments": [Route("a", f"Header(`X-Kind`, `a`) && PathRegexp(`^/a$`) && {nowhere}", 10)],
    "no routes": [],
    "two of one name": [good[0], good[0]],
    "bracket missing": [Route("a", "(Path(`/a`)", 10)],
    "no quotes": [Route("a", "Path(/a)", 10)],
    "operator at the end": [Route("a", "Path(`/a`) &&", 10)],
    "not a matcher": [Route("a", "Paht(`/a`)", 10)],
    "priority 0": [Route("a", "Path(`/a`)", 0)],
    "name with a slash": [Route("a/b", "Path(`/a`)", 10)],
    "limit 0": [Route("a", "Path(`/a`)", 10, limit=(0, 5))],
    "no operator between": [Route("a", "Path(`/a`) Method(`GET`)", 10)],
    "empty": [Route("a", "", 10)],
    "more than one transaction takes": [Route(f"r{n}", f"Path(`/{name}/{n}`)", 10) for n in range(40)],
}
client = consul.Consul(host=host, port=port)
client.http.session.trust_env = False  # no proxy stands between a service and its agent
auth = os.environ["AUTH_CHECK_URL"]
for case in sys.stdin:
    try:
        keys = rule_set(name, cases[case.strip()], secret="s" * 20, auth_check_url=auth)
        RouteStore(client, name).publish(keys)
    except RulesRefused as refused:
        say("refused", " ".join(str(refused).split()))
    else:
        say("published")
"""


class Probe:
    """A service of its own, whose rule sets the learner's module publishes."""

    def __init__(self, name: str, module: Beside, proxy: RecordingProxy) -> None:
        self.name, self._module, self.proxy = name, module, proxy

    def publish(self, case: str) -> str:
        """What the module says of a rule set."""
        self._module.tell(case)
        return self._module.hear(f"rule_set and publish with the rule set '{case}'", within=30)


@contextmanager
def probe(lab: Exercise, rng: Random) -> Iterator[Probe]:
    """Its keys are removed afterwards."""
    name = f"probe{rng.getrandbits(40):x}"
    try:
        with (
            recording_proxy() as proxy,
            beside(lab, "posts", PUBLISH, name, proxy.host, str(proxy.port)) as module,
        ):
            yield Probe(name, module, proxy)
    finally:
        for kind in ("routers", "middlewares"):
            consul("DELETE", f"/v1/kv/{ROOT}/{kind}/{name}-?recurse=true")


@contextmanager
def live_probe(lab: Exercise, rng: Random) -> Iterator[tuple[Probe, Recorder, httpx.Client]]:
    """Its good rules are in force, and lead to an instance that records."""
    with (
        probe(lab, rng) as service,
        recorder(service.name) as there,
        checked_http.client(base_url=GATEWAY, timeout=10) as http,
    ):
        service.publish("good")
        eventually(
            lambda: http.get(f"/{service.name}/open").status_code == 200,
            within=8,
            what="the new route to be live",
        )
        yield service, there, http
