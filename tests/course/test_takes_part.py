"""A check begins when the gateway can route to the units that it grades, not already when they run."""

import pytest
from grading import judge
from support import ENDPOINTS, eventually

from civildiy.chassis.discovery.membership import consul_client
from lab.course.exercise import exercise

pytestmark = pytest.mark.fault


def test_a_unit_without_a_router_does_not_take_part() -> None:
    host, _, port = ENDPOINTS["consul"].rpartition("/")[2].partition(":")
    kv = consul_client(host, int(port)).kv

    def lost() -> bool:
        kv.delete("traefik/http/routers/auth-", recurse=True)
        return "auth" in judge.absent_units(exercise("05").units)

    eventually(lambda: not judge.absent_units(exercise("05").units), within=10, what="all units to take part")
    # auth restores its rules within two seconds, perhaps before the gateway has noticed their absence.
    eventually(lost, within=5, what="auth to be without a router")
    eventually(
        lambda: not judge.absent_units(exercise("05").units), within=10, what="auth's router to be back"
    )
