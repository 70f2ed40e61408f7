"""The user for whom a request acts.

The gateway calls auth (forwardAuth), removes any X-User-ID that the client sent, and sets the true one. A
service can also be reached without the gateway, so it trusts the header only together with a secret that only
the gateway knows.
"""

import hmac
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from civildiy.chassis.errors import Unauthorized

USER_HEADER = "X-User-ID"
PROOF_HEADER = "X-Gateway-Secret"


class CallerState(TypedDict):
    """Lifespan state of every service: the secret that only the gateway sends."""

    gateway_secret: str


async def current_user(request: Request) -> int:
    """Return the id of the user that the gateway confirms (async, so that it needs no worker thread).

    Raises Unauthorized when the proof is missing or wrong, or when there is not exactly one id.
    """
    expected: str = request.state.gateway_secret
    proofs = request.headers.getlist(PROOF_HEADER)
    ids = request.headers.getlist(USER_HEADER)
    if len(proofs) != 1 or not hmac.compare_digest(proofs[0].encode(), expected.encode()):
        raise Unauthorized("This service trusts identities from the gateway only: call it there.")
    if len(ids) != 1 or not ids[0].isascii() or not ids[0].isdigit():
        raise Unauthorized("Send a valid token: Authorization: Bearer <access_token>.")
    return int(ids[0])


CurrentUser = Annotated[int, Depends(current_user)]
