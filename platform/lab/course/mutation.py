"""Small mistakes in the reference of each step, made on the syntax tree: what the checks do not notice.

`mutations(lab)` returns one module text for each possible mistake in a function that the lab asks for.
`lab.course.mutation_run` runs the checks on them.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from textwrap import indent

from civildiy.course_runtime.starter import Def, names
from lab.course.exercise import Exercise, Piece

Slot = tuple[ast.AST, Callable[[ast.AST], None]]
"""A part of the tree, and how to put another one in its place."""

SWAPPED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt(), ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(), ast.In: ast.NotIn(), ast.NotIn: ast.In(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(),
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.FloorDiv(), ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
}  # fmt: skip
ENDS = ast.Return | ast.Raise | ast.Continue | ast.Break


@dataclass(frozen=True)
class Mutation:
    """One mistake. `change` describes it without a line number, so that notes about it last."""

    piece: Piece
    step: int
    name: str
    change: str
    text: str

    @property
    def id(self) -> str:
        """Its name in the notes: 'Registry.watch: `a < b` becomes `a <= b`'."""
        return f"{self.name}: {self.change}"


def mutations(lab: Exercise) -> list[Mutation]:
    """Return all mistakes in the functions and constants that the lab asks for."""
    found: dict[str, Mutation] = {}
    for piece in lab.pieces:
        source = piece.source.read_text(encoding="utf-8")
        for name, node in names(ast.parse(source)):
            if name not in piece.left_out:
                continue
            for change, text in _of_function(source, node):
                made = Mutation(piece, piece.left_out[name], name, change, text)
                number = 2
                while made.id in found:  # the same line twice in one function
                    made = Mutation(piece, made.step, name, f"{change} (no. {number})", text)
                    number += 1
                found[made.id] = made
    return list(found.values())


def _of_function(source: str, node: ast.stmt) -> Iterator[tuple[str, str]]:
    lines = source.splitlines()
    decorators = node.decorator_list if isinstance(node, Def) else []
    first = min([node.lineno, *(each.lineno for each in decorators)])
    before, after = lines[: first - 1], lines[node.end_lineno :]
    plain = ast.unparse(node)
    for slot in _slots(node):
        for change, instead in _mistakes(slot[0]):
            slot[1](instead)
            text = ast.unparse(ast.fix_missing_locations(node))
            slot[1](slot[0])
            if text != plain:
                yield change, "\n".join([*before, indent(text, " " * node.col_offset), *after]) + "\n"
    for change in _in_bodies(node):
        text = ast.unparse(ast.fix_missing_locations(node))
        yield change, "\n".join([*before, indent(text, " " * node.col_offset), *after]) + "\n"


def _slots(node: ast.AST) -> Iterator[Slot]:
    """Every part of a function's body or of a constant's value, with its place in the tree."""
    starts = node.body[bool(ast.get_docstring(node)) :] if isinstance(node, Def) else [node]
    for start in starts:
        messages = _messages(start)
        for parent in [*ast.walk(start)]:
            for field, value in ast.iter_fields(parent):
                if field in ("annotation", "returns", "ctx", "decorator_list"):
                    continue
                for part, put in _parts(parent, field, value):
                    if id(part) not in messages:
                        yield part, put


def _messages(start: ast.AST) -> set[int]:
    """The texts of exceptions: they are for people and decide nothing."""
    calls = [node.exc for node in ast.walk(start) if isinstance(node, ast.Raise)]
    arguments = [text for call in calls if isinstance(call, ast.Call) for text in call.args]
    texts = [text for text in arguments if isinstance(text, ast.Constant | ast.JoinedStr)]
    return {id(part) for text in texts for part in ast.walk(text)}


def _parts(parent: ast.AST, field: str, value: object) -> Iterator[Slot]:
    if isinstance(value, ast.AST):
        yield value, _setter(parent, field)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            if isinstance(each, ast.AST):
                yield each, _item_setter(value, place)


def _setter(parent: ast.AST, field: str) -> Callable[[ast.AST], None]:
    return lambda node: setattr(parent, field, node)


def _item_setter(items: list[ast.AST], place: int) -> Callable[[ast.AST], None]:
    def put(node: ast.AST) -> None:
        items[place] = node

    return put


def _mistakes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The mistakes that change one part of an expression or one header of a statement."""
    if isinstance(node, ast.Call):
        for n, keyword in enumerate(node.keywords):
            less = ast.Call(node.func, node.args, [*node.keywords[:n], *node.keywords[n + 1 :]])
            yield f"`{ast.unparse(node.func)}(…)` loses `{_short(keyword)}`", less
    elif isinstance(node, ast.Dict):
        for n, key in enumerate(node.keys):
            keys, values = [*node.keys[:n], *node.keys[n + 1 :]], [*node.values[:n], *node.values[n + 1 :]]
            yield f"a dictionary loses `{_short(key) if key else '**'}`", ast.Dict(keys, values)
    elif isinstance(node, ast.ExceptHandler):
        caught = _short(node.type) if node.type else ""
        if caught not in ("", "Exception"):
            every = _handler(node, ast.Name("Exception"), node.body)
            yield f"`except {caught}` catches every Exception", every
        yield f"`except {caught}` does nothing", _handler(node, node.type, [ast.Pass()])
    elif isinstance(node, ast.comprehension):
        for n, condition in enumerate(node.ifs):
            left_ifs = [*node.ifs[:n], *node.ifs[n + 1 :]]
            instead = ast.comprehension(node.target, node.iter, left_ifs, node.is_async)
            yield f"a comprehension loses `if {_short(condition)}`", instead
    for other in _instead(node):
        yield f"`{_short(node)}` becomes `{_short(other)}`", other


def _handler(node: ast.ExceptHandler, kind: ast.expr | None, body: list[ast.stmt]) -> ast.ExceptHandler:
    return ast.ExceptHandler(kind, node.name, body)


def _instead(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Await):
        yield node.value
    elif isinstance(node, ast.Compare):
        for n, operator in enumerate(node.ops):
            other = SWAPPED[type(operator)]
            yield ast.Compare(node.left, [*node.ops[:n], other, *node.ops[n + 1 :]], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for n in range(len(node.values)):
            left = [*node.values[:n], *node.values[n + 1 :]]
            yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)], node.right)
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _constants(node.value))
    elif isinstance(node, ast.If) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _constants(value: object) -> list[bool | int | float | str]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    if isinstance(value, str):
        return [f"{value}x"]
    return []


def _in_bodies(function: ast.AST) -> Iterator[str]:
    """Remove a statement, exchange two, or take the body out of a `with`; afterwards undo it."""
    for parent in [*ast.walk(function)]:
        for field in ("body", "orelse", "finalbody"):
            body = getattr(parent, field, None)
            if not isinstance(body, list) or not isinstance(parent, ast.stmt | ast.ExceptHandler):
                continue
            first = bool(isinstance(parent, Def) and ast.get_docstring(parent))
            whole = [*body]
            for n in range(first, len(whole)):
                for change, instead in _statements(whole, n):
                    body[:] = [*whole[:first], *instead[first:]] or [ast.Pass()]
                    yield change
                    body[:] = whole


def _statements(body: list[ast.stmt], n: int) -> Iterator[tuple[str, list[ast.stmt]]]:
    node, before, after = body[n], body[:n], body[n + 1 :]
    if not isinstance(node, ast.Pass | Def):
        yield f"`{_short(node)}` is removed", [*before, ast.Pass(), *after]
    if isinstance(node, ast.With | ast.AsyncWith):
        yield f"`{_short(node)}` is not entered", [*before, *node.body, *after]
    if after and not isinstance(node, ENDS) and not isinstance(after[0], ENDS):
        yield f"`{_short(node)}` after `{_short(after[0])}`", [*before, after[0], node, *after[1:]]


def _short(node: ast.AST) -> str:
    """The first line of a part, at most 90 characters."""
    if isinstance(node, ast.cmpop | ast.boolop | ast.operator | ast.comprehension):
        return ast.dump(node)[:80]
    line = ast.unparse(node).strip().partition("\n")[0]
    return line if len(line) <= 90 else f"{line[:87]}..."
