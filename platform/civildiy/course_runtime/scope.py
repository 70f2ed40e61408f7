"""The statements of a module or a class body, by the names that they bind."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import deepcopy

from civildiy.course_runtime.starter import Def

Import = ast.Import | ast.ImportFrom
Body = Sequence[ast.stmt]


def name_of(node: ast.stmt) -> str:
    """The name that a definition or an assignment binds; '' for every other statement."""
    if isinstance(node, Def | ast.ClassDef):
        return node.name
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def by_name(body: Body) -> dict[str, list[ast.stmt]]:
    """All named statements; a name may be bound more than once."""
    statements: dict[str, list[ast.stmt]] = defaultdict(list)
    for node in body:
        if name := name_of(node):
            statements[name].append(node)
    return dict(statements)


def bound(body: Body) -> set[str]:
    """Every name that this scope binds, also within an `if` or a `try`, and by an import."""
    return {name for node in body for name in _bound(node)}


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, Def | ast.ClassDef):
        yield node.name
        return  # what is within is another scope
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return
    if isinstance(node, Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a string and nothing else: a docstring, or words below a constant."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def shape(node: ast.AST) -> str:
    """The syntax tree as text; comments, blank lines and docstrings make no difference."""
    plain = deepcopy(node)
    for within in ast.walk(plain):
        if isinstance(within, Def | ast.ClassDef | ast.Module) and within.body and is_text(within.body[0]):
            del within.body[0]
        if isinstance(within, ast.ClassDef):  # words below an attribute
            within.body = [member for member in within.body if not is_text(member)]
    return ast.dump(plain)


def only_class(nodes: Sequence[ast.stmt]) -> ast.ClassDef | None:
    """The class that a name stands for, if it is bound once and by a class statement."""
    return nodes[0] if len(nodes) == 1 and isinstance(nodes[0], ast.ClassDef) else None
