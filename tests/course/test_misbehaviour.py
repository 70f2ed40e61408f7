"""The learner's module may do anything: the verdict still shows the line, and the system recovers."""

from collections.abc import Iterator

import pytest
from support import ENDPOINTS, backend, eventually, home

from lab.course.exercise import exercise
from lab.course.mutants import Stage
from lab.course.running import incidents, is_active, unusable
from lab.course.starter import starter
from lab.probes import local_http

LAB = exercise("01")
BODY = "    return await store.get(user)\n"
CASES = {
    "raises-at-import": (
        "router = APIRouter()\n",
        'router = APIRouter()\nraise KeyError("mine")\n',
        "KeyError",
    ),
    "does-not-compile": ("router = APIRouter()\n", "router = APIRouter(\n", "SyntaxError"),
    "loops-at-import": (
        "router = APIRouter()\n",
        "router = APIRouter()\nwhile True:\n    pass\n",
        "not returned",
    ),
    "exits-at-import": (
        "router = APIRouter()\n",
        "router = APIRouter()\nraise SystemExit(7)\n",
        "SystemExit",
    ),
    "interrupts-at-import": (
        "router = APIRouter()\n",
        "router = APIRouter()\nraise KeyboardInterrupt\n",
        "KeyboardInterrupt",
    ),
    "ends-at-import": (
        "router = APIRouter()\n",
        "router = APIRouter()\nimport os\n\nos._exit(3)\n",
        "os._exit",
    ),
    "raises": (BODY, '    raise KeyError("mine")\n', "KeyError"),
    "loops": (BODY, "    while True:\n        pass\n", "not returned"),
    "exits": (BODY, "    raise SystemExit(7)\n", "SystemExit"),
    "ends-at-once": (BODY, "    import os\n\n    os._exit(3)\n", "os._exit"),
    "leaks": (
        BODY,
        "    hoard = []\n    while True:\n        hoard.append(bytearray(10**8))\n",
        "MemoryError",
    ),
    "forks": (
        BODY,
        "    import os, time\n\n    for _ in range(5):\n        if os.fork() == 0:\n"
        "            time.sleep(600)\n    raise OSError('forked')\n",
        "OSError: forked",
    ),
    "threads": (
        BODY,
        "    import threading\n\n    for _ in range(30):\n"
        "        threading.Thread(target=threading.Event().wait).start()\n    raise OSError('threads')\n",
        "OSError: threads",
    ),
    "removes-itself": (
        BODY,
        "    from pathlib import Path\n\n    Path(__file__).unlink(missing_ok=True)\n    1 / 0\n",
        "ZeroDivisionError",
    ),
    "nul": ("router = APIRouter()\n", "router = APIRouter()\n\x00\n", "null bytes"),
    "prints": (BODY, '    while True:\n        print("x" * 10**6)\n', "File too large"),
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    found = Stage(home, backend, LAB, merged=True)
    yield found
    found.close()
    assert not is_active(home, LAB)


DAILY = ("raises-at-import", "ends-at-once", "prints", "forks")
THOROUGH = ("loops-at-import", "loops", "leaks")


def marks(case: str) -> list[pytest.MarkDecorator]:
    """Return when the case is tried: each time, by .ci/run, or in the campaign."""
    if case in DAILY:
        return []
    return [pytest.mark.thorough if case in THOROUGH else pytest.mark.campaign]


@pytest.mark.parametrize("case", [pytest.param(name, marks=marks(name)) for name in CASES])
def test_verdict_shows_the_line(stage: Stage, case: str) -> None:
    old, new, said = CASES[case]
    stage.reference()
    eventually(lambda: local_http.get(f"{ENDPOINTS['profile']}/ready").is_success, within=20,
               what="profile to run the reference")  # fmt: skip
    text = (stage.folder / "api.py").read_text()
    assert old in text
    (stage.folder / "api.py").write_text(text.replace(old, new))
    code, verdicts = stage.grade("-k", "test_missing_profile or test_delete")
    assert code == 1, verdicts
    shown = "\n".join(text for v in verdicts for label, text in v["lines"] if label in ("saw", "look at"))
    assert "01-services/api.py, line" in shown, verdicts
    assert said in shown
    eventually(lambda: incidents(backend, LAB.units, 0) + unusable(backend, "profile"), within=20,
               what="profile to note it")  # fmt: skip
    for service in ("auth", "posts", "feed"):
        assert local_http.get(f"{ENDPOINTS[service]}/ready").is_success


# Text in api.py, what replaces it ("" for the whole file), a part of the verdict, and the exit code.
STRANGE = {
    "renamed": ("async def delete(", "async def remove(", "has no `delete`", 1),
    "a-route-by-hand": ("async def delete(", "async def delete(more: int, ", "", 1),
    "not-async": (BODY, "    return store.get(user)\n", "", 1),
    "no-decorator": ("@router.delete(PREFIX", "not_a_router = dict\n@not_a_router(PREFIX", "", 1),
    "emptied": ("", "", "has no `delete`", 1),
    "only-comments": ("", "# later\n", "has no `delete`", 1),
    "not-utf-8": ("", "\udcff\udcfe = 1\n", "SyntaxError", 1),
    "tabs-and-spaces": (BODY, "\tif user:\n        pass\n" + BODY, "TabError", 1),
    "deleted": (BODY, "    raise RuntimeError\n\n\ndel update\n", "", 1),
}
OTHERS = "test_unknown_fields_are_refused"
"""Of step 5, whose code is in another file."""


@pytest.mark.campaign
@pytest.mark.parametrize("case", STRANGE)
def test_the_rest_of_the_lab_is_judged(stage: Stage, case: str) -> None:
    """Step 4 or its whole file is wrong, but the other file is right and its step passes."""
    old, new, said, wanted = STRANGE[case]
    stage.reference()
    text = (stage.folder / "api.py").read_text()
    assert old in text
    changed = text.replace(old, new) if old else new
    (stage.folder / "api.py").write_bytes(changed.encode("utf-8", "surrogateescape"))
    code, verdicts = stage.grade("-k", f"test_missing_profile or test_delete or {OTHERS}")
    outcomes = {v["check"]: v["outcome"] for v in verdicts}
    assert code == wanted, verdicts
    assert "fail" in outcomes.values()
    assert "not gradable" not in outcomes.values()
    assert said in str(verdicts)
    assert outcomes.pop(OTHERS) == "pass", verdicts


def test_an_import_that_fails_is_shown_before_anything_is_written(stage: Stage) -> None:
    for piece in LAB.pieces:
        text = starter(LAB, piece)
        (stage.folder / piece.file.name).write_text(text.replace("import datetime\n", "import datetim\n"))
    eventually(lambda: unusable(backend, "profile"), within=20, what="profile to report it")
    code, verdicts = stage.grade()
    assert code == 1
    assert {(v["step"], v["outcome"]) for v in verdicts} == {
        (1, "not attempted"), (2, "not attempted"), (3, "not attempted"), (4, "not attempted"), (5, "fail"),
    }  # fmt: skip
    assert "No module named 'datetim'" in str(verdicts)


@pytest.mark.campaign
def test_two_files_that_need_each_other(stage: Stage) -> None:
    """The first imported file cannot be used, so the service continues with the platform's code."""
    stage.reference()
    schemas = (stage.folder / "schemas.py").read_text()
    (stage.folder / "schemas.py").write_text(
        schemas.replace("import datetime\n", "import datetime\nfrom civildiy.profile.api import router\n", 1)
    )
    code, verdicts = stage.grade("-k", f"test_delete or {OTHERS}")
    assert code == 1
    assert {v["outcome"] for v in verdicts} <= {"pass", "fail"}
    assert "circular import" in str(verdicts)
    assert local_http.get(f"{ENDPOINTS['profile']}/ready").is_success


def test_a_syntax_error_leaves_the_other_files(stage: Stage) -> None:
    stage.reference()
    (stage.folder / "api.py").write_text("def (\n")
    code, verdicts = stage.grade("-k", f"test_delete or {OTHERS}")
    assert code == 1
    assert {v["check"]: v["outcome"] for v in verdicts} == {"test_delete": "fail", OTHERS: "pass"}, verdicts
    assert "01-services/api.py, line 1: SyntaxError" in str(verdicts)


def test_the_way_back(stage: Stage) -> None:
    (stage.folder / "api.py").write_text("while True:\n    pass\n")
    stage.close()
    ready = f"{ENDPOINTS['profile']}/ready"
    eventually(lambda: local_http.get(ready).is_success, within=20, what="the reference to be back")
