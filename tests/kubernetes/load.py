"""Users of the gateway, each in a thread: every request that fails is kept."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from lab.probes import local_http

SECONDS_BETWEEN = 0.05


class Load:
    """What the users have done: `done` counts answers that were right, `failed` holds the others."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._ends = threading.Event()
        self.done = 0
        self.failed: list[str] = []
        self.posts: list[str] = []

    @contextmanager
    def running(self, users: int = 4) -> Iterator["Load"]:
        """Let users register, log in, write and read until the end of the block."""
        threads = [threading.Thread(target=self._user, daemon=True) for _ in range(users)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ends.set()
            for thread in threads:
                thread.join(30)

    def _user(self) -> None:
        with local_http.client(base_url=self._gateway, timeout=15) as http:
            name = f"k{secrets.token_hex(6)}"
            account = {"email": f"{name}@example.org", "password": secrets.token_hex(12)}
            self._ask(http, "POST", "/api/auth/register", 201, json={**account, "username": name})
            login = self._ask(http, "POST", "/api/auth/login", 200, json=account)
            if login is None:
                return
            http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            self._ask(http, "POST", "/api/profile", 201, json={"first_name": "K", "last_name": name})
            while not self._ends.is_set():
                new = self._ask(http, "POST", "/api/posts", 201, json={"title": name, "content": "c"})
                if new is not None:
                    self.posts.append(str(new.json()["id"]))
                self._ask(http, "GET", "/api/activity-stream", 200)
                self._ask(http, "GET", "/api/activity-stream/user", 200)
                self._ask(http, "GET", "/api/profile", 200)
                self._ends.wait(SECONDS_BETWEEN)

    def _ask(
        self, http: httpx.Client, method: str, path: str, expected: int, **more: object
    ) -> httpx.Response | None:
        began = time.strftime("%H:%M:%S")
        try:
            answer = http.request(method, path, **more)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            self.failed.append(f"{began} {method} {path}: {type(error).__name__} {error}")
            return None
        if answer.status_code != expected:
            self.failed.append(f"{began} {method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        self.done += 1
        return answer
