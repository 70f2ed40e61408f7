"""Two more systems beside the one that is tested, each started with `--as NAME`."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support import backend, eventually, home

from lab.deadlines import slow
from lab.home import REPO

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(backend.kind != "native", reason="--as is an option of the native backend"),
]


class System:
    """A system with a name, used through its own commands and its own gateway."""

    def __init__(self, name: str) -> None:
        self.name = name

    def lab(self, *arguments: str) -> str:
        """Run ./lab for this system, and return what it printed."""
        variables = {n: v for n, v in os.environ.items() if not n.startswith(("LAB_PORT_", "LAB_LOOPBACK"))}
        ran = subprocess.run(
            [REPO / "lab", *arguments, "--as", self.name], env=variables,
            text=True, capture_output=True, timeout=240 * slow(), check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def client(self) -> httpx.Client:
        """Return a client for this system's gateway."""
        gateway = json.loads(self.lab("endpoints", "--json"))["gateway"]
        return httpx.Client(base_url=gateway, timeout=10, trust_env=False)

    def memory(self) -> int:
        """Return the MiB that its units use."""
        units: list[dict[str, int]] = json.loads(self.lab("status", "--json"))
        return sum(unit["memory"] for unit in units) // 2**20


@pytest.fixture
def systems() -> Iterator[tuple[System, System]]:
    """Two systems that are up; they are removed afterwards."""
    names = [f"{word}-{secrets.token_hex(3)}" for word in ("ada", "bob")]
    first, second = map(System, names)
    try:
        with ThreadPoolExecutor(2) as side_by_side:
            list(side_by_side.map(lambda system: system.lab("up"), (first, second)))
        yield first, second
    finally:
        for system in (first, second):
            system.lab("reset", "--yes")
            shutil.rmtree(home.root / "as" / system.name)


def register(client: httpx.Client, name: str) -> httpx.Response:
    new = {"email": f"{name}@example.org", "username": name, "password": "long enough"}
    return client.post("/api/auth/register", json=new)


def test_neither_sees_the_other(systems: tuple[System, System]) -> None:
    first, second = systems
    name = f"p{secrets.token_hex(6)}"
    with first.client() as one, second.client() as two:
        # The same name can be registered in both, because nothing is shared.
        assert [register(client, name).status_code for client in (one, two)] == [201, 201]
        login = one.post("/api/auth/login", json={"email": f"{name}@example.org", "password": "long enough"})
        token = {"Authorization": f"Bearer {login.json()['access_token']}"}
        post = one.post("/api/posts", json={"title": "mine", "content": "only here"}, headers=token).json()

        def shown(client: httpx.Client) -> bool:
            items = client.get("/api/activity-stream?limit=100").json()["items"]
            return any(item["post_id"] == post["id"] for item in items)

        eventually(lambda: shown(one), within=10, what="the post to be in the feed of its own system")
        assert not shown(two)
        assert two.get(f"/api/posts/{post['id']}").status_code == 404
        # A token of one system is signed with a key that the other one does not have.
        assert two.post("/api/posts", json={"title": "x", "content": "y"}, headers=token).status_code == 401

        print(f"\nmemory: {first.memory()} and {second.memory()} MiB")
        first.lab("down")
        assert two.get("/api/activity-stream/health").status_code == 200
        assert "no difference" in second.lab("verify")
        first.lab("up")
        assert shown(one)
