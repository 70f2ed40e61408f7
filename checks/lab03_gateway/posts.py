"""Posts behind the gateway, with an instance that records what reaches it."""

from collections.abc import Iterator
from contextlib import contextmanager

from grading import checked_http
from grading.reach import Recorder, recorder
from grading.system import ENDPOINTS, eventually

GATEWAY = ENDPOINTS["gateway"]
POSTS = "/api/posts"


@contextmanager
def recorded() -> Iterator[Recorder]:
    """A recording instance of posts that already gets its share of the requests."""
    with checked_http.client(base_url=GATEWAY, timeout=10) as http, recorder("posts") as found:
        eventually(
            lambda: [http.get(POSTS, params={"limit": 1}) for _ in range(4)] and found.seen,
            within=8,
            what="a second instance of posts in the catalog to get requests from the gateway",
        )
        found.seen.clear()
        yield found

    def forgotten() -> bool:
        answers = [checked_http.get(GATEWAY + POSTS, params={"limit": 1}) for _ in range(4)]
        return all(b"recorded" not in answer.content for answer in answers)

    eventually(forgotten, within=8, what="the gateway to forget the recording instance")
