"""A lab that needs an option of ./lab up: one sentence explains it, and no other lab is affected."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.backends.protocol import Backend
from lab.course.exercise import exercise, exercises
from lab.course.options import lacking, must_have
from lab.errors import LabError
from lab.options import OPTIONS


def system(*options: str, running: bool = True) -> Backend:
    found: Any = SimpleNamespace(running=lambda: running, options=lambda: options)
    return cast(Backend, found)


def test_each_option_exists() -> None:
    assert {lab.option for lab in exercises()} <= {"", *OPTIONS}
    assert exercise("09").option == "observability"


def test_a_lab_without_its_option_says_what_to_do() -> None:
    why = lacking(system(), exercise("09"))
    assert why.startswith("Lab 09 needs the option observability")
    assert why.endswith(": ./lab up --with observability")
    with pytest.raises(LabError, match="--with observability"):
        must_have(system("json-logs"), exercise("09"))


@pytest.mark.parametrize("options", [(), ("observability",)])
def test_other_labs_need_none(options: tuple[str, ...]) -> None:
    assert {lacking(system(*options), lab) for lab in exercises() if not lab.option} == {""}


def test_nothing_is_lacking_with_it_or_while_the_system_is_down() -> None:
    assert lacking(system("observability"), exercise("09")) == ""
    assert lacking(system(running=False), exercise("09")) == ""
