"""The outcome for each kind of error, with healthy and with unhealthy servers."""

from collections.abc import Iterator

import httpx
import jwt
import pytest
from grading import judge, own_code
from grading.answers import Last, Odd, Source
from grading.outcome import NotGradable, Outcome, Wrong
from grading.servers import ServerUnavailable, Watched
from grading.stack import ENDPOINTS

from lab.course import running
from lab.course.exercise import exercise
from lab.course.running import Incident
from lab.course.steps import Step
from lab.errors import NotFromHere

LAB = exercise("01")
STEP = Step(3, "Create", lines=[("01-services/api.py", 10, 20)])
ASKED = Source("GET /api/profile", "200 OK null", "profile")
WRONG = Wrong("did", "expected", "saw", "means")
CONSUL = httpx.ReadTimeout("late", request=httpx.Request("GET", f"{ENDPOINTS['consul']}/v1/kv/x"))
PROFILE = httpx.ReadTimeout("late", request=httpx.Request("GET", "http://127.0.0.1/api/profile"))
POSTS = httpx.Response(500, request=httpx.Request("GET", "http://127.0.0.1/api/posts"))


class Well(Watched):
    def trouble(self) -> str:
        return ""


class Away(Watched):
    def trouble(self) -> str:
        return "kafka was restarted while the check ran"


def gap(step: int) -> Incident:
    text = f"NotImplementedError: Lab 01, step {step}: write x"
    return Incident("profile", 1.0, "raised", "01-services/api.py", 3, "raise", text)


@pytest.fixture(autouse=True)
def read() -> Iterator[None]:
    Last.source = ASKED
    yield
    Last.source = None


def judged(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, *, mine: bool = True,
    happened: tuple[Incident, ...] = (), step: Step | None = STEP, watched: type[Watched] = Well,
) -> tuple[Outcome, dict[str, str]]:  # fmt: skip
    monkeypatch.setattr(judge, "is_active", lambda *_: mine)
    monkeypatch.setattr(judge, "incidents", lambda *_: list(happened))
    monkeypatch.setattr(judge, "_answering", lambda _: True)
    outcome, lines = judge.judge(LAB, error, 0.0, watched({}), step)
    return outcome, dict(lines)


def test_a_wrong_answer_leads_to_the_functions_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        f"`{name}`" for piece in LAB.pieces for name, step in piece.left_out.items() if step == STEP.number
    ]
    others = [
        f"`{name}`" for piece in LAB.pieces for name, step in piece.left_out.items() if step != STEP.number
    ]
    place = judged(monkeypatch, WRONG)[1]["look at"]
    assert asked
    assert place.startswith("labs/01-services/")
    assert all(name in place for name in asked)
    assert not any(name in place for name in others)


@pytest.mark.parametrize(
    "error",
    [KeyError("id"), TypeError("NoneType"), ValueError("x"), AttributeError("get"), IndexError(),
     ZeroDivisionError(), jwt.DecodeError("no token"), PROFILE, Odd(ASKED, "a field 'id'")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_a_check_makes_of_an_odd_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    outcome, said = judged(monkeypatch, error)
    assert outcome is Outcome.FAIL
    assert said["did"] == "GET /api/profile"
    assert "labs/01-services/api.py" in said["look at"]
    if not isinstance(error, Odd):
        # On the platform's own code the check is wrong.
        assert judged(monkeypatch, error, mine=False)[0] is Outcome.NOT_GRADABLE


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (CONSUL, "the check itself failed: ReadTimeout"),
        (OSError("disk"), "the check itself failed: OSError"),
        (NotGradable("no room"), "no room"),
        (ServerUnavailable("redis does not answer"), "redis does not answer"),
        (NotFromHere("x"), "JupyterLab cannot control"),
        (Odd(Source("GET /api/posts", "500", "posts"), "200"), "GET /api/posts: 500. Expected: 200"),
        (httpx.HTTPStatusError("500", request=POSTS.request, response=POSTS), "GET /api/posts: 500"),
    ],
)
def test_what_is_no_doing_of_the_learner(monkeypatch: pytest.MonkeyPatch, error: Exception, why: str) -> None:
    outcome, said = judged(monkeypatch, error)
    assert outcome is Outcome.NOT_GRADABLE
    assert said["why"].startswith(why)


@pytest.mark.parametrize("error", [WRONG, KeyError("x"), NotImplementedError("Lab 01, step 1: write x")])
def test_a_server_that_died_meanwhile_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    outcome, said = judged(monkeypatch, error, watched=Away, happened=(gap(1),))
    assert outcome is Outcome.NOT_GRADABLE
    assert said["why"] == "kafka was restarted while the check ran"


@pytest.mark.parametrize(
    ("error", "steps", "step", "outcome"),
    [
        (WRONG, (3,), STEP, Outcome.NOT_ATTEMPTED),
        (WRONG, (2,), STEP, Outcome.FAIL),  # some probe met another step
        (WRONG, (2,), None, Outcome.NOT_ATTEMPTED),
        (judge.OwnCodeFailed("profile", 0.0), (2,), STEP, Outcome.NOT_ATTEMPTED),
        (judge.Unwritten("Lab 01, step 1: write health"), (), STEP, Outcome.NOT_ATTEMPTED),
        (NotImplementedError("x: NotImplementedError: Lab 01, step 1: x"), (), STEP, Outcome.NOT_ATTEMPTED),
        (NotImplementedError("mine"), (), STEP, Outcome.NOT_GRADABLE),
    ],
)  # fmt: skip
def test_a_step_that_is_not_written(
    monkeypatch: pytest.MonkeyPatch, error: Exception, steps: tuple[int, ...], step: Step | None,
    outcome: Outcome,
) -> None:  # fmt: skip
    found, said = judged(monkeypatch, error, happened=tuple(gap(n) for n in steps), step=step)
    assert found is outcome
    if outcome is Outcome.NOT_ATTEMPTED:
        assert said["saw"].startswith("Lab 01, step ")


def test_code_that_cannot_run_fails_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    error = own_code.broken(LAB, 3, "labs/01-services/api.py, line 7: SyntaxError: invalid syntax")
    outcome, said = judged(monkeypatch, error, watched=Away)
    assert outcome is Outcome.FAIL
    assert said["look at"] == "labs/01-services/api.py, line 7"


def test_the_line_of_the_step_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in another step's code explains less."""
    mine, other = (
        Incident("profile", 1.0, "raised", "01-services/api.py", n, "x", "KeyError") for n in (12, 99)
    )
    for happened in ((mine, other), (other, mine)):
        _, said = judged(monkeypatch, WRONG, happened=happened)
        assert "line 12" in said["look at"]


def test_a_step_that_is_written_in_part_does_not_pass() -> None:
    outcome, lines = judge.unfinished(LAB, Step(3, "Create", untouched=["read"]))
    assert outcome is Outcome.NOT_ATTEMPTED
    assert "`read`" in dict(lines)["saw"]


def test_a_file_that_cannot_be_imported_fails_its_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report may come late, after the platform's module has passed the check in its place."""
    late = Incident("profile", 1.0, "unusable", "01-services/schemas.py", 3, "x", "KeyError")
    monkeypatch.setattr(running, "unusable", lambda *_: [late])
    monkeypatch.setattr(running, "running_files", lambda *_: {p.module: p.file for p in LAB.pieces})
    error = own_code.what_counts(LAB, Step(5, "Refuse"), None)
    assert isinstance(error, judge.Broken)
    assert "schemas.py, line 3 raised while it was imported" in error.saw
    assert own_code.what_counts(LAB, STEP, None) is None
    assert own_code.what_counts(LAB, STEP, WRONG) is WRONG
    monkeypatch.setattr(running, "unusable", lambda *_: [])
    monkeypatch.setattr(own_code, "noted", [late])
    assert isinstance(own_code.what_counts(LAB, Step(5, "Refuse"), WRONG), judge.Broken)
