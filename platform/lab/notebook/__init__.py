"""What a notebook works with: `from lab.notebook import *` in its first cell.

Everything here looks at the running system, or does to it what a person could do by hand. Names
read like sentences: `system.show()`, `registry.show()`, `events.follow(post)`, `feed.compare()`.
"""

from lab.notebook import databases, events, feed, gateway, outages, registry, system, tokens
from lab.notebook.people import Person, somebody
from lab.notebook.picture import Picture, Table
from lab.notebook.prediction import predict
from lab.notebook.shell import attach
from lab.notebook.watching import watching

__all__ = [
    "Person", "Picture", "Table", "databases", "events", "feed", "gateway", "outages", "predict",
    "registry", "somebody", "system", "tokens",
    "watching",
]  # fmt: skip

attach()
