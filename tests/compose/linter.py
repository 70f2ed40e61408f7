"""dclint, a linter for Compose files, installed with npm into the folder of the tests' engine."""

from compose.machine import Machine
from compose.stack import Stack
from support import home

from lab.home import REPO

NOT_OURS = (
    # The file is read from top to bottom like the architecture's picture, not like a dictionary.
    "service-keys-order", "services-alphabetical-order", "service-dependencies-alphabetical-order",
    "service-ports-alphabetical-order", "top-level-properties-order",
    # `image` names what `build` makes, so that several services share it.
    "no-build-and-image",
    # In lists on one line quotes keep the colons together, and dclint does not see them.
    "no-quotes-in-volumes", "require-quotes-in-ports",
)  # fmt: skip


def run(stack: Stack) -> None:
    """Fail when the linter finds anything in docker-compose.yml."""
    tool = Machine(home).root / "dclint-3.1.0"
    if not (tool / "node_modules").exists():
        stack.run("npm", "install", "--no-fund", "--no-audit", "--prefix", tool, "dclint@3.1.0")
    dclint = tool / "node_modules" / ".bin" / "dclint"
    rules = [word for rule in NOT_OURS for word in ("--disable-rule", rule)]
    stack.run(dclint, REPO / "docker-compose.yml", "--max-warnings", 0, *rules)
