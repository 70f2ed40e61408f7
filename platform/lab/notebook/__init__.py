"""Tools of the course's notebooks; each begins with `from lab.notebook import *`.

They show the running system, or do to it what a person could do by hand. Examples: `system.show()`,
`registry.show()`, `events.follow(post)`, `feed.compare()`.
"""

from lab.notebook.shell import attach

attach()  # first: importing the rest may raise a LabError, which should be one sentence as well

from lab.notebook import claim, databases, events, feed, gateway, outages, registry, system, tokens, traces  # noqa: E402
from lab.notebook.panel import panel  # noqa: E402
from lab.notebook.people import Person, somebody  # noqa: E402
from lab.notebook.picture import Picture, Table  # noqa: E402
from lab.notebook.prediction import predict  # noqa: E402
from lab.notebook.start import Addresses, account, addresses  # noqa: E402
from lab.notebook.traffic import traffic  # noqa: E402
from lab.notebook.watching import watching  # noqa: E402

__all__ = [
    "Addresses", "Person", "Picture", "Table", "account", "addresses", "claim", "databases", "events",
    "feed", "gateway", "outages", "panel", "predict", "registry", "somebody", "system", "tokens", "traces",
    "traffic", "watching",
]  # fmt: skip
