"""A small module with everything that makes a merge hard, as a learner's file and as the platform's."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from civildiy.course_runtime.finder import LearnerFinder
from civildiy.course_runtime.loader import parsed
from civildiy.course_runtime.starter import Task, starter_text, task_beside
from civildiy.course_runtime.written import Written, written

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


class Lesson:
    """The files of the module in `folder`, which must be on sys.path."""

    def __init__(self, folder: Path) -> None:
        (folder / "lesson.py").write_text(PLATFORM)
        (folder / "01-x").mkdir()
        (folder / "01-x" / "exercise.toml").write_text(TOML)
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
        return self.load(text.encode())

    def load(self, content: bytes) -> ModuleType:
        """Return the module with this file."""
        self.file.write_bytes(content)
        finder = LearnerFinder({"lesson": self.file}, lambda _, error: self.unusable.append(repr(error)))
        spec = finder.find_spec("lesson", None)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["lesson"] = module
        spec.loader.exec_module(module)
        return module

    def written(self) -> Written:
        """Return what the file as it is now holds of each step. Raises what `parsed` raises."""
        names = {"LIMIT", "Pair.total", "Leaf.kind", "Leaf.name", "answer"}
        return written(names, ast.parse(self.starter), parsed(str(self.file)))


KIND, LIMIT = "# Lab 01, step 3: kind", "# Lab 01, step 1: LIMIT"
ANSWER = '    raise NotImplementedError("Lab 01, step 4: write answer")'
NAME = '        raise NotImplementedError("Lab 01, step 3: write Leaf.name")'
