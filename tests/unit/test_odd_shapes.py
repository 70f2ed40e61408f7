"""A learner's code may have any shape: it runs, or the platform's code runs and the state tells why."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from merged_lesson import ANSWER, PLATFORM, Lesson

DEF = "def answer() -> int:\n    '''The answer.'''\n" + ANSWER
WHOLE = (7, 7, "Leafrootleaf")
"""What the platform's own code returns."""

RUN = {
    "decorator": DEF.replace("def answer", "import functools\n@functools.cache\ndef answer").replace(
        ANSWER, "    return 42"
    ),
    "lambda": "answer = lambda: 42",
    "assigned": "def mine():\n    return 42\nanswer = mine",
    "annotated": "from typing import Any\nanswer: Any = lambda: 42",
    "partial": "import functools\nanswer = functools.partial(int, 42)",
    "callable-object": "class Answer:\n    def __call__(self):\n        return 42\nanswer = Answer()",
    "class-instead": "class answer(int):\n    def __new__(cls):\n        return 42",
    "if-true": "if True:\n    def answer():\n        return 42",
    "try": "try:\n    import nothing_like_it\nexcept ImportError:\n    def answer():\n        return 42",
    "with": "import contextlib\nwith contextlib.suppress(Exception):\n    def answer():\n        return 42",
    "twice": "def answer():\n    return 1\ndef answer():\n    return 42",
    "nested": "def answer():\n    def answer():\n        return 42\n    return answer()",
    "arguments": "def answer(*args, **more):\n    return 42",
    "tuple": "answer, other = (lambda: 42), 3",
    "walrus": "(answer := lambda: 42)",
    "for": "for answer in [lambda: 42]:\n    pass",
    "imported": "import functools as answer\nanswer = answer.partial(int, 42)",
    "global": "def make():\n    global answer\n    def answer():\n        return 42\nanswer = None\nmake()",
    "state": "STATE = []\nSTATE.append(42)\ndef answer():\n    return STATE[0]",
    "tabs": "def answer():\n\treturn 42",
    "semicolons": "def answer(): x = 42; return x",
    "star": "from math import *\ndef answer():\n    return 41 + int(cos(0))",
    "future": "from __future__ import annotations\ndef answer() -> Later:\n    return 42",
}
"""In place of the starter's `answer`; each returns 42."""

CANNOT = {
    "renamed": DEF.replace("def answer", "def reply"),
    "removed": "",
    "only-star": "from math import *",
    "raises": DEF + "\nraise OSError('mine')",
    "exits": DEF + "\nimport sys\nsys.exit()",
    "interrupts": DEF + "\nraise KeyboardInterrupt",
    "leaves": DEF + "\nraise GeneratorExit",
    "base": DEF + "\nclass Mine(BaseException):\n    pass\nraise Mine",
    "await": DEF + "\nawait nothing()",
    "yield": DEF + "\nyield 1",
    "break": DEF + "\nbreak",
    "tabs-and-spaces": "def answer():\n        x = 1\n\treturn x",
    "unclosed": "def answer(:",
    "python-2": "def answer():\n    print 42",
    "own-module": DEF + "\nfrom lesson import nothing",
    "recursion": DEF + "\ndef deep():\n    deep()\ndeep()",
    "assert": DEF + "\nassert False",
    "exec": DEF + "\nexec('raise ValueError')",
}
"""None of these can run; the platform's code does."""


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lesson]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Lesson(tmp_path)
    sys.modules.pop("lesson", None)


@pytest.mark.parametrize("shape", RUN)
def test_it_runs_and_counts_as_written(lesson: Lesson, shape: str) -> None:
    module = lesson.run((DEF, RUN[shape]))
    assert lesson.unusable == []
    assert module.answer() == 42
    assert (module.Pair(4).total(), module.Leaf().given()) == WHOLE[1:]
    assert "answer" in lesson.written().changed
    assert lesson.written().untouched == {"LIMIT", "Pair.total", "Leaf.kind", "Leaf.name"}


@pytest.mark.parametrize("shape", CANNOT)
def test_the_platforms_code_runs_and_the_reason_is_known(lesson: Lesson, shape: str) -> None:
    module = lesson.run((DEF, CANNOT[shape]))
    assert (module.answer(), module.Pair(4).total(), module.Leaf().given()) == WHOLE
    try:
        told = lesson.written().gone
    except SyntaxError:
        told = {"answer"}
    assert lesson.unusable or told == {"answer"}


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_change_nothing(lesson: Lesson, end: str, mark: bytes) -> None:
    module = lesson.load(mark + lesson.starter.replace("\n", end).encode())
    assert (module.answer(), module.Pair(4).total(), module.Leaf().given()) == WHOLE
    assert lesson.written().changed == {}
    assert lesson.written().gone == set()
    assert lesson.unusable == []


def test_an_encoding_that_the_file_declares_is_used(lesson: Lesson) -> None:
    text = "# -*- coding: latin-1 -*-\n" + lesson.starter.replace(ANSWER, "    return len('é')")
    assert lesson.load(text.encode("latin-1")).answer() == 1
    assert [*lesson.written().changed] == ["answer"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n# nothing\n", b"'''Words.'''\n", b"\xff\xfe = 1\n", b"a = '\xe9'\n", b"\x00", b"pass\n"],
)
def test_a_file_without_its_content_leaves_the_platforms_module(lesson: Lesson, content: bytes) -> None:
    module = lesson.load(content)
    assert (module.answer(), module.Pair(4).total(), module.Leaf().given()) == WHOLE
    try:
        # The starter has no LIMIT either, so that step is open and not broken.
        assert lesson.written().gone == {"Pair.total", "Leaf.kind", "Leaf.name", "answer"}
    except SyntaxError:
        assert lesson.unusable


METHODS = {
    "lambda": "    total = lambda self: 42",
    "static": "    @staticmethod\n    def total():\n        return 42",
    "assigned": "    total = staticmethod(lambda: 42)",
    "if-true": "    if True:\n        def total(self):\n            return 42",
}


@pytest.mark.parametrize("shape", METHODS)
def test_odd_methods(lesson: Lesson, shape: str) -> None:
    old = '    def total(self) -> int:\n        raise NotImplementedError("Lab 01, step 2: write Pair.total")'
    module = lesson.run((old, METHODS[shape]))
    found = (
        module.Pair.total(module.Pair(4))
        if shape != "static" and shape != "assigned"
        else module.Pair.total()
    )
    assert found == 42
    assert lesson.unusable == []
    assert "Pair.total" in lesson.written().changed


@pytest.mark.parametrize(
    "instead",
    [
        "Leaf = None",
        "def Leaf():\n    return 7",
        "Leaf = Root",
        "from collections import Counter as Leaf",
        "if True:\n    class Leaf:\n        pass",
        "",
    ],
)
def test_a_class_replaced_by_something_else_is_the_platforms(lesson: Lesson, instead: str) -> None:
    a = lesson.starter.index("class Leaf(Root):")
    b = lesson.starter.index("def answer()")
    module = lesson.run((lesson.starter[a:b], instead + "\n"))
    assert (module.answer(), module.Leaf().given()) == (WHOLE[0], WHOLE[2])
    assert lesson.written().gone >= {"Leaf.kind", "Leaf.name"}
    assert PLATFORM.count("class Leaf") == 1
