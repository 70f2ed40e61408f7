"""Which of the parts that a lab asks for a learner's file holds."""

import ast
from dataclasses import dataclass, field

from civildiy.course_runtime.scope import Body, bound, by_name, only_class, shape


@dataclass
class Written:
    """The names that a lab leaves out, by what the learner's file makes of them.

    `changed` maps a name to its first and last line. `gone`: the starter has them, the file does not.
    """

    changed: dict[str, tuple[int, int]] = field(default_factory=dict)
    untouched: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)


def written(names: set[str], starter: ast.Module, mine: ast.Module) -> Written:
    """Compare a learner's file with the starter by syntax trees."""
    result = Written()
    for name in names:
        *outer, last = name.split(".")
        first, now = _inside(starter.body, outer), _inside(mine.body, outer)
        if now is None:
            result.gone.add(name)
            continue
        before, after = by_name(first or []).get(last, []), by_name(now).get(last, [])
        if [shape(node) for node in before] != [shape(node) for node in after]:
            if after:
                result.changed[name] = after[0].lineno, after[-1].end_lineno or after[-1].lineno
            elif last in bound(now):
                result.changed[name] = 0, 0
            else:
                result.gone.add(name)
        elif not after and last in bound(now):
            result.changed[name] = 0, 0
        else:
            result.untouched.add(name)
    return result


def _inside(body: Body, classes: list[str]) -> Body | None:
    """The body of a class in a class …; None when one of them is not there, or is no class."""
    for name in classes:
        class_ = only_class(by_name(body).get(name, []))
        if class_ is None:
            return None
        body = class_.body
    return body
