"""Which of the four outcomes an error becomes, all servers being well or not."""

from collections.abc import Iterator

import httpx
import jwt
import pytest
from grading import judge
from grading.answers import Last, Odd, Source
from grading.outcome import NotGradable, Outcome, Wrong
from grading.servers import ServerAway, Watched
from grading.stack import ENDPOINTS

from lab.course.exercise import exercise
from lab.course.running import Incident
from lab.errors import NotFromHere

LAB = exercise("01")
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
    happened: tuple[Incident, ...] = (), needed: tuple[int, ...] = (1, 3), watched: type[Watched] = Well,
) -> tuple[Outcome, dict[str, str]]:  # fmt: skip
    monkeypatch.setattr(judge, "is_active", lambda *_: mine)
    monkeypatch.setattr(judge, "incidents", lambda *_: list(happened))
    monkeypatch.setattr(judge, "_answering", lambda _: True)
    outcome, lines = judge.judge(LAB, error, 0.0, watched({}), needed)
    return outcome, dict(lines)


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
        (CONSUL, "the check itself broke: ReadTimeout"),
        (OSError("disk"), "the check itself broke: OSError"),
        (NotGradable("no room"), "no room"),
        (ServerAway("redis does not answer"), "redis does not answer"),
        (NotFromHere("x"), "JupyterLab cannot control"),
        (Odd(Source("GET /api/posts", "500", "posts"), "200"), "GET /api/posts: 500, instead of 200"),
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
    ("error", "steps", "needed", "outcome"),
    [
        (WRONG, (3,), (1, 3), Outcome.NOT_ATTEMPTED),
        (WRONG, (2,), (1, 3), Outcome.FAIL),  # some probe met a step that this check has no need of
        (WRONG, (2,), (), Outcome.NOT_ATTEMPTED),
        (judge.OwnCodeFailed("profile", 0.0), (2,), (1, 3), Outcome.NOT_ATTEMPTED),
        (judge.Unwritten("Lab 01, step 1: write health"), (), (1,), Outcome.NOT_ATTEMPTED),
        (NotImplementedError("x: NotImplementedError: Lab 01, step 1: x"), (), (1,), Outcome.NOT_ATTEMPTED),
        (NotImplementedError("mine"), (), (1,), Outcome.NOT_GRADABLE),
    ],
)  # fmt: skip
def test_a_step_that_is_not_written(
    monkeypatch: pytest.MonkeyPatch, error: Exception, steps: tuple[int, ...], needed: tuple[int, ...],
    outcome: Outcome,
) -> None:  # fmt: skip
    found, said = judged(monkeypatch, error, happened=tuple(gap(n) for n in steps), needed=needed)
    assert found is outcome
    if outcome is Outcome.NOT_ATTEMPTED:
        assert said["saw"].startswith("Lab 01, step ")
