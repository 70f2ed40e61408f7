"""Merge a learner's module with the platform's: what is still as in the starter is the platform's own.

Three syntax trees go in, as for a merge of versions: the starter is what both began from. The learner's
order of statements is kept, because a constant may need one that stands above it. What only the platform
has (a constant that the starter leaves out, an import or a function that the learner deleted) follows
the statement that it follows in the platform.
"""

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum

from civildiy.course_runtime.scope import Import, bound, by_name, is_text, name_of, only_class, shape
from civildiy.course_runtime.starter import Def

Body = Sequence[ast.stmt]


class Owner(Enum):
    """Whose text a statement is: it tells the file that its line numbers refer to."""

    PLATFORM = "platform"
    LEARNER = "learner"


@dataclass(frozen=True)
class Placed:
    """A statement of the merged module. `rank`: its place in the platform's module; -1 if it has none."""

    node: ast.stmt
    owner: Owner
    rank: int = -1


@dataclass(frozen=True)
class Trees:
    """The same module, or the same class body, in three versions."""

    platform: Body
    starter: Body
    mine: Body


class Merge:
    """The merged module: `statements` in their order.

    `owners` tells whose a function in a class of both is, by its qualified name.
    """

    def __init__(self, platform: ast.Module, starter: ast.Module, mine: ast.Module) -> None:
        self.owners: dict[str, Owner] = {}
        self.statements = self._merged(Trees(platform.body, starter.body, mine.body), "")

    def _merged(self, trees: Trees, prefix: str) -> list[Placed]:
        """The statements of both in one order; `prefix` is 'Class.' for the body of a class."""
        found: list[Placed] = []
        for placed in self._in_learners_order(trees, prefix):
            if placed not in found:
                found.append(placed)
        there, named = bound(trees.mine), by_name(trees.mine)
        ranks = {placed.rank for placed in found}
        for rank, node in enumerate(trees.platform):
            name = name_of(node)
            # Most of the platform needs its classes: one that an import or an `if` replaces stays, too.
            replaced = isinstance(node, ast.ClassDef) and name in there and name not in named
            if rank in ranks or not (isinstance(node, Import) or (name and name not in there) or replaced):
                continue
            before = max((place for place in found if 0 <= place.rank < rank), key=_rank, default=None)
            at = found.index(before) + 1 if before else _after_lead(found)
            if replaced:
                at = max([at, *(place for place, one in enumerate(found, 1) if name in bound([one.node]))])
            found.insert(at, Placed(node, Owner.PLATFORM, rank))
        return found

    def _in_learners_order(self, trees: Trees, prefix: str) -> Iterator[Placed]:
        """Each statement of the learner's file, or what stands for it in the platform."""
        theirs, first, mine = by_name(trees.platform), by_name(trees.starter), by_name(trees.mine)
        ranks = {id(node): rank for rank, node in enumerate(trees.platform)}
        unnamed = {shape(node): node for node in trees.platform if not name_of(node)}
        for place, node in enumerate(trees.mine):
            name = name_of(node)
            if is_text(node):
                if place == 0:
                    words = trees.platform[0]
                    yield Placed(words, Owner.PLATFORM, 0) if is_text(words) else Placed(node, Owner.LEARNER)
            elif not name:
                same = unnamed.get(shape(node))
                yield (
                    Placed(node, Owner.LEARNER)
                    if same is None
                    else Placed(same, Owner.PLATFORM, ranks[id(same)])
                )
            elif name not in theirs:
                yield Placed(node, Owner.LEARNER)
            elif _shapes(mine[name]) == _shapes(first.get(name, ())):
                for same in theirs[name]:
                    yield Placed(same, Owner.PLATFORM, ranks[id(same)])
            elif _is_other_kind(theirs[name], mine[name]):
                # Most of the platform needs this class; the steps that it holds fail, and only they.
                yield Placed(theirs[name][0], Owner.PLATFORM, ranks[id(theirs[name][0])])
            else:
                whole = self._with_platforms_members(theirs[name], first.get(name, ()), mine[name], prefix)
                yield Placed(whole or node, Owner.LEARNER, ranks[id(theirs[name][0])])

    def _with_platforms_members(
        self, theirs: Body, first: Body, mine: Body, prefix: str
    ) -> ast.ClassDef | None:
        """The learner's class with the members that are still the platform's; None for what is no class."""
        platform, starter, learner = only_class(theirs), only_class(first), only_class(mine)
        if not (platform and starter and learner):
            return None
        inner = f"{prefix}{learner.name}."
        body: list[ast.stmt] = []
        own = {shape(node): node for node in learner.body}
        for placed in self._merged(Trees(platform.body, starter.body, learner.body), inner):
            node = placed.node
            if isinstance(node, Def | ast.ClassDef):
                self.owners.setdefault(inner + node.name, placed.owner)
            elif placed.owner is Owner.PLATFORM:
                # It runs in the body of the learner's class, and so its lines are those of that file.
                node = own.get(shape(node)) or _at(node, learner)
            body.append(node)
        whole = ast.ClassDef(learner.name, learner.bases, learner.keywords, body, learner.decorator_list)
        return ast.copy_location(whole, learner)


def _shapes(nodes: Body) -> list[str]:
    return [shape(node) for node in nodes]


def _rank(placed: Placed) -> int:
    return placed.rank


def _is_other_kind(theirs: Body, mine: Body) -> bool:
    """Whether the platform has a class and the learner something else under this name."""
    return only_class(theirs) is not None and only_class(mine) is None


def _after_lead(found: Sequence[Placed]) -> int:
    """How many statements have to stay at the head of a module: its docstring and `__future__` imports."""
    lead = 0
    for placed in found:
        node = placed.node
        if not (is_text(node) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")):
            break
        lead += 1
    return lead


def _at(node: ast.stmt, place: ast.stmt) -> ast.stmt:
    """A copy of `node` whose line numbers are those of `place`."""
    copy = deepcopy(node)
    for within in ast.walk(copy):
        if hasattr(within, "lineno"):
            ast.copy_location(within, place)
    return copy
