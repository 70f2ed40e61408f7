"""The learner's registry in a program beside the system, for a service of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

import httpx
from grading.learner_process import Beside, beside
from grading.reach import consul
from grading.recording_proxy import RecordingProxy, recording_proxy

from lab.course.exercise import Exercise
from lab02_discovery.catalog import HOST

PROBE = """
import consul, json, os, sys, threading
from civildiy.chassis.discovery.registry import *
name, door_host, door_port, host = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
def registry():
    client = consul.Consul(host=door_host, port=door_port)
    client.http.session.trust_env = False  # no proxy stands between a service and its agent
    return Registry(client)
def instance(number, port=9, host=host):
    return Instance(name, f"{name}-{number}", host, port)
def listed(found):
    return json.dumps([f"{i.id} at {i.host}:{i.port}" for i in found])
"""
QUIET = 1.5
"""Seconds in which nothing happens, and little should be asked."""


@contextmanager
def probe(lab: Exercise, rng: Random, program: str) -> Iterator[tuple[str, Beside, RecordingProxy]]:
    """A program beside the system, for a service of its own; its entries are removed afterwards."""
    name = f"probe-{rng.getrandbits(40):x}"
    try:
        with (
            recording_proxy() as proxy,
            beside(lab, "profile", PROBE + program, name, proxy.host, str(proxy.port), HOST) as module,
        ):
            yield name, module, proxy
    finally:
        for number in (1, 2, 12):
            with suppress(httpx.HTTPStatusError):  # 404: it is gone already
                consul("PUT", f"/v1/agent/service/deregister/{name}-{number}")


def turned(name: str, number: int, status: str, text: str = "") -> None:
    """The instance's check has this status now."""
    check = {"Status": status, "Output": text}
    consul("PUT", f"/v1/agent/check/update/service:{name}-{number}", json=check)


def put(name: str, number: int, status: str, port: int = 9) -> None:
    """The instance is in the catalog, with a check of this status."""
    entry = {
        "Name": name,
        "ID": f"{name}-{number}",
        "Address": HOST,
        "Port": port,
        "Check": {"TTL": "10m", "Status": status},
    }
    consul("PUT", "/v1/agent/service/register", json=entry)
