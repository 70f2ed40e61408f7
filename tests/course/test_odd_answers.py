"""An odd answer of the learner's code makes the check fail and show the answer; the check never crashes."""

from collections.abc import Iterator

import pytest
from support import backend, home

from lab.course.exercise import exercise
from lab.course.mutants import Stages

WORKS = "    return await store.create(user, new.model_dump())\n"
CREATE = '    response.headers["Location"] = PREFIX\n' + WORKS
ANSWER = "    from starlette.responses import {kind}\n    return {kind}({arguments})  # type: ignore\n"


def answered(kind: str, arguments: str) -> str:
    return CREATE.replace(WORKS, ANSWER.format(kind=kind, arguments=arguments))


CASES = {
    "forgotten-return": ("01", "api.py", CREATE.replace("return ", ""), "test_delete", ("500",)),
    "key-missing": (
        "01", "api.py", answered("JSONResponse", "{}, 201"), "test_created or test_put",
        ("POST /api/profile with all fields", "Location: ''"),
    ),
    "no-json": ("01", "api.py", answered("Response", "b'hello', 201"), "test_own", ("hello",)),
    "a-list": ("01", "api.py", answered("JSONResponse", "[], 201"), "test_second", ("409",)),
    "redirect": ("01", "api.py", answered("RedirectResponse", "'/'"), "test_created", ("307", "Location: /")),
    "no-answer": (
        "01", "api.py", "    import asyncio\n\n    await asyncio.sleep(60)\n" + CREATE, "test_delete",
        ("POST /api/profile", "504 Gateway Timeout"),
    ),
    "no-token": (
        "04", "tokens.py", '    return "none"\n', "test_token_says", ("POST /api/auth/login", '"none"'),
    ),
}  # fmt: skip
DAILY = ("forgotten-return", "key-missing")
OLD = {
    "01": CREATE,
    "04": '    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id})\n',
}


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    found = Stages(home, backend)
    yield found
    found.close()


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=[] if name in DAILY else [pytest.mark.campaign]) for name in CASES]
)
def test_an_odd_answer_is_shown(stages: Stages, case: str) -> None:
    number, name, new, checks, shown = CASES[case]
    stage = stages.of(exercise(number))
    stage.reference()
    text = (stage.folder / name).read_text()
    assert OLD[number] in text
    (stage.folder / name).write_text(text.replace(OLD[number], new))
    code, verdicts = stage.grade("-k", checks)
    assert code == 1, verdicts
    words = "\n".join(said for verdict in verdicts for _, said in verdict["lines"])
    assert {verdict["outcome"] for verdict in verdicts} <= {"pass", "fail"}, verdicts
    assert all(word in words for word in shown), words
