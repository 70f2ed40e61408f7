"""Passwords.hash() and verify() called beside the system: the event loop meanwhile, and the answers."""

import json

from grading.learner_process import Beside, beside
from grading.outcome import require
from grading.plugin import check

from lab.course.exercise import Exercise
from lab04_auth.programs import PASSWORDS

LEAST_TURNS = 4
"""Of the event loop while one hash is computed: it takes some 30 ms, and the program looks every 2 ms."""
AT_ONCE = 2
PLACE = (
    "A call that was cancelled, or that failed, keeps its place in `self._free`. After two of them nobody can"
    " log in any more. `async with self._free:` gives the place back in every case."
)
CALLED = ("hash()", "verify() for a known user", "verify() for an unknown user (stored is None)")
CALLS, MOST_ENTRIES, MOST_THREADS = 24, 8, 12
ANSWERS = (
    ("the right password", True),
    ("the right password (100 characters) and one more", False),
    ("the right password without its last character", False),
    ("the right password in capital letters", False),
    ("any password for an unknown user (stored is None)", False),
    ("the password of the comparison hash for an unknown user (stored is None)", False),
    ("a stored text that is no hash", False),
    ("the right password, which begins and ends with white space", True),
    ("the right password without its white space at both ends", False),
    ("the right password with one space instead of two", False),
    ("an empty password", False),
)


@check(points=3)
def test_hashing_leaves_the_event_loop_free(lab: Exercise) -> None:
    """While a password is hashed or compared the event loop goes on, and only a few are computed at a time"""
    with beside(lab, "auth", PASSWORDS, only=("civildiy.auth.passwords",)) as module:
        turns: int = json.loads(module.hear("hash() to return", 20))
        _free("hash", "hash()", turns)
        known, unknown, computed = json.loads(module.hear("verify() to return", 20))
        _free("verify", "verify() for a known user", known)
        _free("verify", "verify() for an unknown user", unknown)
        require(
            computed >= 1,
            "called verify() for an unknown user (stored is None) beside the system, and looked at"
            " its threads",
            expected="a computation of Argon2, as for a wrong password",
            saw="none",
            means="`verify` in passwords.py does not compare for an unknown user. A pause of a fixed"
            " length differs"
            " from a computation on every machine and under load: compare with `self._nobody`.",
        )
        for what, most in zip(CALLED, json.loads(module.hear("eight calls at once", 30)), strict=True):
            name = what.split("(")[0]
            require(
                most <= AT_ONCE,
                f"called {what} eight times at once beside the system and looked at its threads",
                expected=f"at most {AT_ONCE} threads that compute Argon2 at a time",
                saw=f"{most} at the same moment",
                means=f"`{name}` in passwords.py does not wait for `self._free`. Each computation takes"
                " 19 MiB and a"
                " processor, so a burst of logins takes the memory and the processors from all other"
                " requests.",
            )
        answers = json.loads(module.hear("verify() to answer", 20))
        answers += json.loads(module.hear("verify() to answer", 20))
        _leaves_nothing(*json.loads(module.hear("24 calls one after the other", 40)))
        _gives_its_place_back(module)
    for (case, wanted), found in zip(ANSWERS, answers, strict=True):
        require(
            found is wanted,
            f"called verify() beside the system with {case}",
            expected=wanted,
            saw=found,
            means="`verify` in passwords.py must be True for exactly one password of a known user,"
            " and False for an"
            " unknown user (stored is None), whatever the password is.",
        )


def _gives_its_place_back(module: Beside) -> None:
    for what in CALLED:
        said = json.loads(module.hear(f"{what} to return after six calls were cancelled", 40))
        require(
            said == "an answer",
            f"called {what} six times at once beside the system, cancelled these calls, as it happens when"
            " clients close their connections, and called it again",
            expected="an answer",
            saw="none within 10 s",
            means=PLACE,
        )


def _leaves_nothing(entries: int, threads: int) -> None:
    did = f"called hash() and verify() {CALLS} times beside the system, one after the other"
    require(
        entries <= MOST_ENTRIES,
        did,
        expected=f"at most {MOST_ENTRIES} more entries in dictionaries, lists and sets of passwords.py",
        saw=f"{entries} more",
        means="passwords.py remembers passwords or answers. What is kept grows with each login, and passwords"
        " must not stay in memory: compute each answer.",
    )
    require(
        threads <= MOST_THREADS,
        did,
        expected=f"at most {MOST_THREADS} more threads",
        saw=f"{threads} more",
        means="Each call leaves a thread behind, until the process cannot start another one. Use"
        " `asyncio.to_thread`, whose threads are used again.",
    )


def _free(name: str, what: str, turns: int) -> None:
    require(
        turns >= LEAST_TURNS,
        f"called {what} beside the system and counted the turns of the event loop meanwhile",
        expected=f"at least {LEAST_TURNS} turns",
        saw=f"{turns} turns",
        means=f"`{name}` in passwords.py computes on the event loop. Until it is done this process"
        " answers no request, so"
        " the gateway waits with every protected request of the system while people log in. Use a thread.",
    )
