"""issue() and verify() on machines in other time zones: Unix time is the same everywhere."""

from collections.abc import Sequence
from typing import Any

import jwt
from grading.learner_process import Beside
from grading.outcome import require

from lab.deadlines import slow
from lab04_auth.programs import asked

ZONES = {"EAST-5": "five hours east of UTC", "WEST5": "five hours west of UTC"}
"""Values of TZ. They need no list of time zones on this machine."""
CLOSE_SECONDS = 60.0
MEANS = (
    "Unix time is the same in all time zones, and `int(time.time())` is it. A date that does not name its"
    " zone, such as that of `datetime.now()` or `datetime.utcnow()`, is read as local time or as UTC,"
    " which is right only on a machine whose time zone is UTC."
)


def issued_elsewhere(module: Beside, question: dict[str, Any]) -> dict[str, str]:
    """What the learner's issue() returns in each of the zones."""
    return {zone: str(asked(module, "issue() to return", question | {"zone": zone})) for zone in ZONES}


def same_times(tokens: dict[str, str], began: int, seconds: int) -> None:
    """Each token begins `began` and ends so many seconds later."""
    wanted = {"iat": began, "nbf": began, "exp": began + seconds}
    for zone, token in tokens.items():
        try:
            said = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            said = {"error": f"{error}: {token[:60]}"}
        require(
            all(
                isinstance(said.get(claim), int) and abs(said[claim] - at) < CLOSE_SECONDS * slow()
                for claim, at in wanted.items()
            ),
            f"called issue() beside the system, on a machine {ZONES[zone]}",
            expected=f"the same times as everywhere: {wanted}",
            saw={claim: said.get(claim) for claim in wanted} if "error" not in said else said["error"],
            means=MEANS,
        )


def verified_elsewhere(
    module: Beside, question: dict[str, Any], cases: Sequence[tuple[str, object, str, str]]
) -> None:
    """The learner's verify() decides the same in each of the zones; `cases` is named as in issuing.py."""
    for zone, where in ZONES.items():
        for case, token, wanted, _ in cases:
            if not isinstance(token, str):
                continue
            said = asked(module, f"verify() to return for {case}", question | {"zone": zone, "token": token})
            require(
                said == wanted,
                f"called verify() beside the system with {case}, on a machine {where}",
                expected=f"claims of {wanted}" if wanted.startswith("user") else f"{wanted} to be raised",
                saw=f"claims of {said}" if str(said).startswith("user ") else f"{said} was raised",
                means=MEANS,
            )
