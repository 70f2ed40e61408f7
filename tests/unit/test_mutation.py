"""The tool that makes small mistakes in the reference solutions."""

import ast
from pathlib import Path

import pytest

from lab.course.exercise import Exercise, Piece, exercises
from lab.course.mutation import mutations
from lab.course.mutation_run import equivalents, score

SOURCE = '''
async def read(store, user, *, limit=1):
    """Read."""
    found = await store.get(user, fresh=True)
    store.note(user)
    try:
        if found is None and limit < 10:
            raise LookupError("nothing")
    except ValueError as error:
        store.failed(error)
    async with store.lock:
        return {"id": user, "rows": [row for row in found if row.good]}
'''


@pytest.fixture
def changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "a.py").write_text(SOURCE)
    monkeypatch.setattr(Piece, "source", property(lambda self: tmp_path / "a.py"))
    piece = Piece("a", tmp_path / "a.py", ("profile",), {"read": 1})
    lab = Exercise("01", "", 1, tmp_path, ("one",), (piece,), ())
    return {each.change: each.text for each in mutations(lab)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("`await store.get(user, fresh=True)` becomes `store.get(user, fresh=True)`", "found = store.get("),
        ("`store.get(…)` loses `fresh=True`", "await store.get(user)\n"),
        ("`True` becomes `False`", "fresh=False"),
        ("`found is None` becomes `found is not None`", "found is not None and"),
        ("`limit < 10` becomes `limit <= 10`", "limit <= 10"),
        ("`10` becomes `11`", "limit < 11"),
        ("`except ValueError` catches every Exception", "except Exception as error:"),
        ("`except ValueError` does nothing", "except ValueError as error:\n        pass"),
        ("a dictionary loses `'id'`", "return {'rows'"),
        ("a comprehension loses `if row.good`", "for row in found]"),
        ("`store.note(user)` is removed", "    pass\n    try:"),
        (
            "`found = await store.get(user, fresh=True)` after `store.note(user)`",
            "store.note(user)\n    found",
        ),
        ("`async with store.lock:` is not entered", "error)\n    return {"),
    ],
)
def test_mistake(changes: dict[str, str], change: str, text: str) -> None:
    assert text in changes[change]


def test_messages_are_left_alone(changes: dict[str, str]) -> None:
    assert not [change for change in changes if change.startswith("`'nothing'`")]


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_mistakes_of_each_lab(lab: Exercise) -> None:
    found = mutations(lab)
    assert {each.step for each in found} == {*range(1, len(lab.steps) + 1)}
    assert len({each.id for each in found}) == len(found)
    for each in found[::20]:
        assert ast.dump(ast.parse(each.text)) != ast.dump(ast.parse(each.piece.source.read_text()))
    assert {*equivalents(lab)} <= {each.id for each in found}, (
        "survivors.toml names mistakes that do not exist"
    )


def test_score_leaves_out_what_is_as_right() -> None:
    lab = exercises()[0]
    results = [{"step": 1, "result": result} for result in ("caught", "survived", "equivalent")]
    assert score(lab, results).splitlines()[-1].startswith("lab 01: 1 of 2 caught (50%), 1 survived")
