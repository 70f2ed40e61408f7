"""An error of the platform's code that calls a learner's leads to the file and line of the learner's name."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from civildiy.course_runtime.blame import culprit

MODULES = {
    "blamed_first": "from blamed_second import share\nOTHER = 3\n",
    "blamed_second": "import os\n\n\nclass Shares:\n    pass\n\n\nshare = 0.5\n",
    "blamed_third": "class Box:\n    size = 7\n\n\n\n\nasync def late() -> int:\n    return 1\n",
    "blamed_platform": (
        "import blamed_third\nfrom blamed_first import OTHER\nfrom blamed_second import Shares, share\n\n\n"
        "def call():\n    return share(0.1)\n\n\ndef make():\n    return Shares(1)\n\n\n"
        "def through():\n    return blamed_third.late() + 1\n\n\ndef elsewhere():\n    return int('x')\n"
    ),
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    importlib.import_module("blamed_platform")
    yield {name: tmp_path / f"{name}.py" for name in MODULES if name != "blamed_platform"}
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize(
    ("called", "wanted"),
    [
        pytest.param("call", ("blamed_second.py", 8), id="a number in place of a function"),
        pytest.param("make", ("blamed_second.py", 4), id="a class with other arguments"),
        pytest.param("through", ("blamed_third.py", 7), id="by the module's name"),
        pytest.param("elsewhere", None, id="no name of the learner's"),
    ],
)
def test_the_file_and_line_of_the_name(
    files: dict[str, Path], called: str, wanted: tuple[str, int] | None
) -> None:
    platform = sys.modules["blamed_platform"]
    with pytest.raises((TypeError, ValueError)) as caught:
        getattr(platform, called)()
    found = culprit(caught.tb, str(caught.traceback[-1].statement), files)
    assert (found and (Path(found[0]).name, found[1])) == wanted
