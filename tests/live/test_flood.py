"""More registrations than the processors can hash: excess ones get 503, all others are served."""

import asyncio
import secrets
from collections import Counter

import httpx
import pytest
from support import ENDPOINTS, Person, eventually

from lab.probes import local_http


@pytest.mark.campaign
def test_a_flood_of_registrations_is_refused_early(ada: Person) -> None:
    """Directly at the service, without the gateway's limit: excess ones get 503, all others are served."""

    async def flood() -> tuple[Counter[int], list[int]]:
        limits = httpx.Limits(max_connections=400)
        async with httpx.AsyncClient(
            limits=limits, timeout=60, trust_env=False, verify=local_http.NO_TLS
        ) as http:

            async def register() -> int:
                name = f"f{secrets.token_hex(6)}"
                new = {"email": f"{name}@example.org", "username": name, "password": "long enough"}
                answer = await http.post(f"{ENDPOINTS['auth']}/api/auth/register", json=new)
                return answer.status_code

            async def look() -> int:
                page = f"{ENDPOINTS['gateway']}/api/activity-stream/user"
                return (await http.get(page, headers=ada.http.headers)).status_code

            many = asyncio.gather(*(register() for _ in range(400)))
            seen = [await look() for _ in range(5)]
            return Counter(await many), seen

    answers, seen = asyncio.run(flood())
    assert answers.keys() == {201, 503}, answers
    assert seen == [200] * 5


@pytest.mark.campaign
def test_one_client_may_register_so_often(anybody: httpx.Client) -> None:
    answers = [anybody.post("/api/auth/register", json={}) for _ in range(300)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {422, 429}
    assert all("retry-after" in answer.headers for answer in limited)
    eventually(
        lambda: anybody.post("/api/auth/register", json={}).status_code == 422, within=5, what="a place"
    )
