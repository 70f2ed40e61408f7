"""The running module is the platform's, with what the learner changed in its place."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from merged_lesson import ANSWER, KIND, LIMIT, NAME, Lesson

from civildiy.course_runtime.finder import LearnerFinder
from civildiy.course_runtime.merge import Merge
from civildiy.course_runtime.scope import is_text, shape
from civildiy.course_runtime.starter import names
from lab.course.exercise import Exercise, Piece, exercises
from lab.course.starter import starter
from lab.course.steps import State, steps_of

PIECES = [(lab, piece) for lab in exercises() for piece in lab.pieces]
STEPS = [(lab, piece, step) for lab, piece in PIECES for step in sorted({*piece.left_out.values()})]


def with_step(lab: Exercise, piece: Piece, step: int) -> str:
    """Return the starter in which one step is written as in the platform."""
    only = {name: number for name, number in piece.left_out.items() if number != step}
    other = Piece(piece.module, piece.file, piece.units, only)
    return starter(lab, other)


def trees(lab: Exercise, piece: Piece, mine: str) -> tuple[ast.Module, ast.Module, ast.Module]:
    platform = piece.source.read_text(encoding="utf-8")
    return ast.parse(platform), ast.parse(starter(lab, piece)), ast.parse(mine)


def text_of(tree: ast.Module) -> list[str]:
    return [shape(node) for place, node in enumerate(tree.body) if place == 0 or not is_text(node)]


@pytest.mark.parametrize(("lab", "piece"), PIECES, ids=[piece.module for _, piece in PIECES])
def test_a_starter_is_the_platforms_module(lab: Exercise, piece: Piece) -> None:
    platform, first, mine = trees(lab, piece, starter(lab, piece))
    merged = Merge(platform, first, mine)
    assert [shape(placed.node) for placed in merged.statements] == text_of(platform)
    assert {placed.owner.value for placed in merged.statements} == {"platform"}


@pytest.mark.parametrize(("lab", "piece", "step"), STEPS, ids=[f"{p.module}-{s}" for _, p, s in STEPS])
def test_one_step_is_the_learners(lab: Exercise, piece: Piece, step: int) -> None:
    platform, first, mine = trees(lab, piece, with_step(lab, piece, step))
    merged = Merge(platform, first, mine)
    assert [shape(placed.node) for placed in merged.statements] == text_of(platform)
    wanted = {name for name, number in piece.left_out.items() if number == step}
    found = {name for name, owner in merged.owners.items() if owner.value == "learner"}
    for placed in merged.statements:
        if placed.owner.value == "learner":
            found |= {name for name, _ in names(ast.Module([placed.node], []))} & {*wanted}
    assert wanted <= found
    assert not (found & piece.left_out.keys()) - wanted


@contextmanager
def loaded(module: str, file: Path) -> Iterator[ModuleType]:
    """The module as a process that runs the learner's file has it, beside the one that is imported here."""
    parent = importlib.import_module(module.rpartition(".")[0])
    spec = LearnerFinder({module: file}).find_spec(module, parent.__path__)
    assert spec
    assert spec.loader
    found, before = importlib.util.module_from_spec(spec), sys.modules.get(module)
    sys.modules[module] = found
    try:
        spec.loader.exec_module(found)
        yield found
    finally:
        if before is None:
            del sys.modules[module]
        else:
            sys.modules[module] = before


def put(folder: Path, lab: Exercise, piece: Piece, text: str) -> Path:
    """Return a learner's file with its exercise.toml beside it."""
    there = folder / lab.folder.name
    there.mkdir(exist_ok=True)
    (there / "exercise.toml").write_bytes((lab.folder / "exercise.toml").read_bytes())
    file = there / piece.file.name
    file.write_text(text, encoding="utf-8")
    return file


def code_of(module: ModuleType, name: str) -> CodeType | None:
    """Return the code of a function, or of Class.method; None for what is none."""
    found: object = module
    for part in name.split("."):
        found = vars(found).get(part)
        found = getattr(found, "wrapped", found)  # a validator of Pydantic
        found = getattr(found, "__func__", found)
        found = getattr(found, "fget", found)
        found = getattr(found, "__wrapped__", found)
    return found.__code__ if isinstance(found, FunctionType) else None


@pytest.mark.parametrize(("lab", "piece", "step"), STEPS, ids=[f"{p.module}-{s}" for _, p, s in STEPS])
def test_each_function_is_in_the_file_it_comes_from(
    lab: Exercise, piece: Piece, step: int, tmp_path: Path
) -> None:
    file = put(tmp_path, lab, piece, with_step(lab, piece, step))
    tree = ast.parse(file.read_text(encoding="utf-8"))
    lines = {name: node for name, node in names(tree)}
    with loaded(piece.module, file) as module:
        for name, _ in names(ast.parse(piece.source.read_text(encoding="utf-8"))):
            code = code_of(module, name)
            if code is None:
                continue
            mine = piece.left_out.get(name) == step
            assert Path(code.co_filename) == (file if mine else piece.source), name
            if mine:
                decorators = getattr(lines[name], "decorator_list", [])
                assert code.co_firstlineno in {lines[name].lineno, *(found.lineno for found in decorators)}


def test_each_route_is_registered_once(tmp_path: Path) -> None:
    lab, piece = PIECES[0]
    assert piece.module.endswith(".api")
    wanted = [(r.path, r.methods, r.name) for r in importlib.import_module(piece.module).router.routes]
    for step in sorted({*piece.left_out.values()}):
        with loaded(piece.module, put(tmp_path, lab, piece, with_step(lab, piece, step))) as module:
            assert [(r.path, r.methods, r.name) for r in module.router.routes] == wanted


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lesson]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Lesson(tmp_path)
    sys.modules.pop("lesson", None)


def test_nothing_is_written(lesson: Lesson) -> None:
    module = lesson.run()
    assert (module.answer(), module.Pair(4).total(), module.Leaf().given()) == (7, 7, "Leafrootleaf")
    assert module.__doc__ == "The platform's."


def test_a_constant_reaches_those_that_are_made_of_it(lesson: Lesson) -> None:
    module = lesson.run((LIMIT, "LIMIT = 5"))
    assert (module.TWICE, module.answer(), module.Pair(4).total()) == (10, 11, 9)


def test_super_and_class_cells_and_private_names(lesson: Lesson) -> None:
    module = lesson.run((KIND, "kind = 'twig'"), (NAME, "        return super().name().upper() + self.kind"))
    assert module.Leaf().given() == "LeafROOTtwig"
    module = lesson.run(
        (
            '        raise NotImplementedError("Lab 01, step 2: write Pair.total")',
            "        return self.__private - 1",
        )
    )
    assert module.Pair(4).total() == -1
    assert module.Pair(4) == module.Pair(4)


def test_helpers_and_imports_are_kept(lesson: Lesson) -> None:
    module = lesson.run(
        ("import time", "import math\nMINE = 40"), (ANSWER, "    return round(math.sqrt(4)) + mine()"),
        ("def helper()", "def mine():\n    return MINE\ndef helper()"),
    )  # fmt: skip
    assert module.answer() == 42
    assert module.time.time() > 0, "what the learner deleted is the platform's"


def test_words_are_no_change(lesson: Lesson) -> None:
    module = lesson.run(("'''The answer.'''", "'''My words.'''  # and mine\n\n"))
    assert module.answer() == 7
    assert module.answer.__doc__ == "The answer."


@pytest.mark.parametrize(
    "changes",
    [
        (("def answer()", "def other()"),),
        (("class Leaf(Root):", "def Leaf():\n    return 7\nclass Other(Root):"),),
        ((ANSWER, "    return ("),),
        (("import time", "import time\nraise OSError('mine')"),),
        (("import time", "import time\nraise SystemExit(3)"),),
        (("import time", "import time\n\x00"),),
        (("import time", "from lesson import nothing"),),
        (("import time", "import time\nreturn 3"),),
    ],
)
def test_what_cannot_be_used_leaves_the_platforms(
    lesson: Lesson, changes: tuple[tuple[str, str], ...]
) -> None:
    module = lesson.run(*changes)
    assert (module.answer(), module.Pair(4).total(), module.Leaf().given()) == (7, 7, "Leafrootleaf")


def test_the_lines_are_those_of_the_file(lesson: Lesson) -> None:
    module = lesson.run((ANSWER, "    return 1 / 0"), (NAME, "        return 1 / 0"), (KIND, "kind = 'x'"))
    lines = lesson.file.read_text().splitlines()
    for call in (module.answer, module.Leaf().name, module.Leaf().given):
        with pytest.raises(ZeroDivisionError) as caught:
            call()
        last = caught.traceback[-1]
        assert Path(str(last.path)) == lesson.file
        assert lines[last.lineno].strip() == "return 1 / 0"
    first = caught.traceback[-2]
    assert Path(str(first.path)) != lesson.file, "a method that nobody changed is the platform's"


def test_annotations_as_text(lesson: Lesson) -> None:
    module = lesson.run(
        ("import time", "from __future__ import annotations\nimport time"),
        ("def answer() -> int:", "def answer() -> Later:"), (ANSWER, "    return 3"),
    )  # fmt: skip
    assert module.answer() == 3
    assert lesson.unusable == []


@pytest.mark.parametrize("lab", exercises(), ids=lambda lab: lab.number)
def test_each_step_alone_is_the_one_that_is_written(lab: Exercise, tmp_path: Path) -> None:
    for step in range(1, len(lab.steps) + 1):
        files = {p.module: put(tmp_path, lab, p, with_step(lab, p, step)) for p in lab.pieces}
        found = steps_of(lab, files)
        assert [s.number for s in found if s.state is State.WRITTEN] == [step]
        assert not [s for s in found if s.state is State.BROKEN]
        assert found[step - 1].untouched == []
