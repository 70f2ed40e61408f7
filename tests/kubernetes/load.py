"""Users of the gateway, each in a thread: every request that fails is kept."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from lab.probes import local_http

SECONDS_BETWEEN = 0.05
FEED = 100
"""As many of a user's newest posts are in the user's feed."""


class Load:
    """What the users have done: `done` counts answers that were right, `failed` holds the others."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._ends = threading.Event()
        self.done = 0
        self.failed: list[str] = []
        self.posts: dict[str, list[str]] = {}
        """The accepted posts of each user, by the value of the header Authorization."""

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

    def accepted(self) -> int:
        """Return how many posts were accepted."""
        return sum(len(posts) for posts in self.posts.values())

    def lost_or_doubled(self) -> list[str]:
        """Return what is wrong with the accepted posts: each exists, and is in its user's feed once."""
        wrong = []
        for token, posts in self.posts.items():
            headers = {"Authorization": token}
            with local_http.client(base_url=self._gateway, timeout=15, headers=headers) as http:
                answers = {post: http.get(f"/api/posts/{post}").status_code for post in posts}
                wrong += [f"post {post}: {status}" for post, status in answers.items() if status != 200]
                items = http.get("/api/activity-stream/user", params={"limit": FEED}).json()["items"]
                shown = [str(item["post_id"]) for item in items]
                if sorted(shown) != sorted(posts[-FEED:]):
                    wrong.append(f"the feed shows {shown}, accepted were {posts[-FEED:]}")
        return wrong

    def _user(self) -> None:
        with local_http.client(base_url=self._gateway, timeout=15) as http:
            name = f"k{secrets.token_hex(6)}"
            account = {"email": f"{name}@example.org", "password": secrets.token_hex(12)}
            self._ask(http, "POST", "/api/auth/register", 201, json={**account, "username": name})
            login = self._ask(http, "POST", "/api/auth/login", 200, json=account)
            if login is None:
                return
            token = f"Bearer {login.json()['access_token']}"
            http.headers["Authorization"] = token
            mine = self.posts.setdefault(token, [])
            self._ask(http, "POST", "/api/profile", 201, json={"first_name": "K", "last_name": name})
            while not self._ends.is_set():
                new = self._ask(http, "POST", "/api/posts", 201, json={"title": name, "content": "c"})
                if new is not None:
                    mine.append(str(new.json()["id"]))
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
