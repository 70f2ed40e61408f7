"""The shapes of code that make a merge hard: constants, super(), private names, imports, annotations."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from civildiy.course_runtime.finder import LearnerFinder
from civildiy.course_runtime.starter import Task, starter_text, task_beside

PLATFORM = """
'''The platform's.'''
import time
from dataclasses import dataclass
LIMIT = 3
TWICE = LIMIT * 2
@dataclass(frozen=True)
class Pair:
    '''Two.'''
    left: int
    __private: int = 0
    def total(self) -> int:
        return self.left + self.__private + self._add()
    def _add(self) -> int:
        return LIMIT
class Root:
    def name(self) -> str:
        return 'root'
class Leaf(Root):
    kind = 'leaf'
    def name(self) -> str:
        return super().name() + self.kind
    def given(self) -> str:
        return __class__.__name__ + self.name()
def answer() -> int:
    '''The answer.'''
    return helper() + TWICE
def helper() -> int:
    return 1
if __name__ == 'never':
    raise SystemExit
"""
TOML = """
[[pieces]]
module = "lesson"
file = "lesson.py"
units = []
[pieces.left_out]
LIMIT = 1
"Pair.total" = 2
"Leaf.kind" = 3
"Leaf.name" = 3
answer = 4
"""


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Lesson"]:
    (tmp_path / "lesson.py").write_text(PLATFORM)
    (tmp_path / "01-x").mkdir()
    (tmp_path / "01-x" / "exercise.toml").write_text(TOML)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Lesson(tmp_path)
    sys.modules.pop("lesson", None)


class Lesson:
    """A small module with everything that makes a merge hard."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "01-x" / "lesson.py"
        task = task_beside(self.file, "lesson")
        assert isinstance(task, Task)
        self.starter = starter_text(PLATFORM, task)
        self.unusable: list[str] = []

    def run(self, *changes: tuple[str, str]) -> ModuleType:
        """Return the module with the starter changed so."""
        text = self.starter
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.file.write_text(text)
        finder = LearnerFinder({"lesson": self.file}, lambda _, error: self.unusable.append(repr(error)))
        spec = finder.find_spec("lesson", None)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["lesson"] = module
        spec.loader.exec_module(module)
        return module


KIND, LIMIT = "# Lab 01, step 3: kind", "# Lab 01, step 1: LIMIT"
ANSWER = '    raise NotImplementedError("Lab 01, step 4: write answer")'
NAME = '        raise NotImplementedError("Lab 01, step 3: write Leaf.name")'


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
