"""Validator.user_id() called beside the system: what it remembers, for how long, and how much."""

import time
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grading.learner_process import Beside, beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab04_auth.programs import VALIDATION, asked, public_hex
from lab04_auth.service import AUDIENCE, ISSUER

MANY = 200
LIMIT = 50
"""REMEMBERED while the check runs; the program sets it."""
DID = "called user_id() beside the system"
ENDED = (
    "A token that was found good must be remembered together with its end, and refused once this time has"
    " come. The"
    " end must be compared at each call."
)
GUESSED = (
    "What is remembered must be the whole token with its signature. A part of it (`jti`, the subject, the"
    " claims)"
    " can be written by anybody who has seen one good token."
)


class Question:
    """Asks the program, and makes tokens that it can check."""

    def __init__(self, module: Beside) -> None:
        self._module = module
        self.key = Ed25519PrivateKey.generate()
        self.known = {"key-1": public_hex(self.key)}

    def token(self, **other: object) -> str:
        """A good token of user 7, except for `other`."""
        now = int(time.time())
        said: dict[str, Any] = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "7", "iat": now, "nbf": now, "exp": now + 600,
            "jti": uuid4().hex,
        }  # fmt: skip
        return jwt.encode(said | other, self.key, algorithm="EdDSA", headers={"kid": "key-1"})

    def ask(self, *headers: str | None, keys: dict[str, str] | None = None) -> tuple[list[str], int, int]:
        """Answers (each kind once if there are several), verifications, and growth of what is kept."""
        known = self.known if keys is None else keys
        answers, counted, grown = asked(
            self._module, "user_id() to return", {"headers": headers, "keys": known}
        )
        return answers, counted, grown

    def wants(self, header: str | None, wanted: str, did: str, means: str, **keys: Any) -> None:
        """One question with the answer that must come."""
        (found, *_), _, _ = self.ask(header, **keys)
        expected = wanted if wanted.startswith("user ") else f"{wanted} to be raised"
        require(found == wanted, f"{DID} with {did}", expected=expected, saw=found, means=means)


@check(points=3)
def test_only_good_tokens_are_remembered(lab: Exercise) -> None:
    """A good token is verified once and remembered until it ends; a refused one is not remembered"""
    with beside(lab, "auth", VALIDATION, only=("civildiy.auth.validation",)) as module:
        question = Question(module)
        question.wants(f"Bearer {question.token()}", "user 7", "a good token", "This token is good.")
        short = question.token(exp=int(time.time()) + 3)
        question.wants(f"Bearer {short}", "user 7", "a good token", "This token is good.")
        _once(question)
        _tampered(question)
        _later_good(question)
        _headers(question)
        time.sleep(3)  # what is measured is that its time passes
        _forgets(question, short)
        _grows(question)  # last: it makes the validator drop all tokens from before


def _forgets(question: Question, token: str) -> None:
    """`token` was remembered and has ended since."""
    _, _, before = question.ask(None)
    case = "a token that was used before, and has ended since"
    question.wants(f"Bearer {token}", "TokenRefused", case, ENDED)
    _, _, after = question.ask(None)
    require(
        after < before,
        f"{DID} with {case}, and counted what is kept",
        expected="one token less than before",
        saw=f"{after - before:+} tokens" if after != before else "as many tokens as before",
        means="A token that has ended is of no use: remove it with `del self._good[token]`."
        " Otherwise it takes the"
        " place of a token that is still good.",
    )
    question.wants(f"Bearer {token}", "TokenRefused", f"{case}, a second time", ENDED)


def _once(question: Question) -> None:
    answers, counted, _ = question.ask(*[f"Bearer {question.token()}"] * 50)
    require(
        answers == ["user 7"] and counted <= 2,
        f"{DID} 50 times with the same good token, and counted the calls of verify()",
        expected="user 7 each time, and one call of verify()",
        saw=f"{', '.join(answers)}, and {counted} calls of verify()",
        means="The gateway sends this question for every protected request. Look into `self._good` before you"
        " verify, and"
        " `self._remember` what was found good.",
    )


def _tampered(question: Question) -> None:
    good = question.token()
    question.wants(f"Bearer {good}", "user 7", "a good token", "This token is good.")
    claims = jwt.decode(good, options={"verify_signature": False})
    stranger = Ed25519PrivateKey.generate()
    forged = jwt.encode(claims | {"sub": "8"}, stranger, algorithm="EdDSA", headers={"kid": "key-1"})
    head, body, signature = good.split(".")
    for case, token in (
        (
            "the claims of another user under the signature of a token used before",
            f"{head}.{forged.split('.')[1]}.{signature}",
        ),
        ("the jti of a token used before, signed with a stranger's key", forged),
        ("a token used before, without its signature", f"{head}.{body}."),
    ):
        question.wants(f"Bearer {token}", "TokenRefused", case, GUESSED)


def _later_good(question: Question) -> None:
    token = question.token()
    question.wants(f"Bearer {token}", "Unavailable", "a good token while no keys are loaded",
                   "Without keys nobody can say whether the token is good. Unavailable becomes a 503,"
                   " which clients"
                   " try again; TokenRefused would log everybody out.", keys={})  # fmt: skip
    other = {"key-2": public_hex(Ed25519PrivateKey.generate())}
    question.wants(
        f"Bearer {token}",
        "TokenRefused",
        "a token whose key is not loaded yet",
        "Its key is unknown.",
        keys=other,
    )
    question.wants(
        f"Bearer {token}", "user 7", "the same token after its key was loaded",
        "This token was refused before, and is good now: its key has been loaded. A refusal must not be"
        " remembered,"
        " because a new key, or the time in `nbf`, can make the token good.",
    )  # fmt: skip


def _headers(question: Question) -> None:
    token = question.token()
    means = "The name of the scheme is the same in small letters (RFC 9110, section 11.1)."
    question.wants(f"bearer {token}", "user 7", "the scheme in small letters", means)
    for case, header in (("no header", None), ("an empty header", ""), ("no token", "Bearer"),
                         ("no scheme", token),
                         ("the scheme Basic", f"Basic {token}"), ("no token at all", "Bearer x"),
                         ("a token of 5,000 characters", "Bearer " + "x" * 5000)):  # fmt: skip
        question.wants(
            header, "TokenRefused", case,
            "A header that holds no usable token must raise TokenRefused: it becomes a 401."
            " `bearer_token` does so.",
        )  # fmt: skip


def _grows(question: Question) -> None:
    for kind, headers in (
        ("good", [f"Bearer {question.token()}" for _ in range(MANY)]),
        ("bad", [f"Bearer {question.token(aud='another')}" for _ in range(MANY)]),
    ):
        _, _, grown = question.ask(*headers)
        require(
            grown <= LIMIT + 10,
            f"{DID} with {MANY} different {kind} tokens, with REMEMBERED set to {LIMIT}",
            expected=f"at most {LIMIT} of them to be kept",
            saw=f"{grown} more entries than before",
            means="What is kept grows with each token and never shrinks, until the process has no memory"
            " left."
            " `self._remember` drops the oldest one; anybody can send bad tokens, so none of them may be"
            " kept.",
        )
