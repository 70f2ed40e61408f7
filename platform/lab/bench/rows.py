"""What is measured: one row for each kind of request and number of connections."""

import json
from dataclasses import dataclass

FEW, MANY = 1, 32
NEW_POST = json.dumps({"title": "A post", "content": "x" * 200})


@dataclass(frozen=True)
class Request:
    """One kind of request; {post} in `path` stands for the id of a post that exists."""

    name: str
    path: str
    body: str = ""
    needs_user: bool = False
    naive: bool = True
    """Whether the naive service answers this request, too."""


@dataclass(frozen=True)
class Row:
    """A request, and the number of connections that send it at the same time."""

    request: Request
    connections: int

    @property
    def name(self) -> str:
        """The name in the table, such as "GET post, 32"."""
        return f"{self.request.name}, {self.connections}"


HEALTH = Request("health", "/api/activity-stream/health")
FEED = Request("feed", "/api/activity-stream?limit=20")
PAGE_FROM_MONGODB = Request("page from MongoDB", "/api/posts?limit=20", naive=False)
REQUESTS = (
    HEALTH,
    FEED,
    Request("own feed", "/api/activity-stream/user?limit=20", needs_user=True),
    Request("GET post", "/api/posts/{post}"),
    Request("POST post", "/api/posts", NEW_POST, needs_user=True),
)
ROWS = (
    *(Row(request, connections) for request in REQUESTS for connections in (FEW, MANY)),
    Row(PAGE_FROM_MONGODB, FEW),
)

TO_HEALTH = {"feed": 2.0, "own feed": 3.0, "GET post": 2.7, "POST post": 7.0}
"""With one connection, the median of a request may be this many times that of `health`."""
P99_TO_P50 = 3.0
"""With many connections, the 99th percentile may be this many times the median."""
TO_FEED_MS, IDLE_PERCENT, MEMORY_MB = 10.0, 7.0, 850.0
"""The most for: the median from a POST until the post is in the feed; the processor when idle; the memory."""
