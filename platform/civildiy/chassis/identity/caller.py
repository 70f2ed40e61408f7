"""Who a request acts for.

The gateway asks auth (forwardAuth), removes any X-User-ID that came from outside and sets the
true one. A service is also reachable without the gateway, so it believes the header only together
with a secret that only the gateway knows.
"""

import hmac
from typing import Annotated

from fastapi import Depends, Request

from civildiy.chassis.errors import Unauthorized

USER_HEADER = "X-User-ID"
PROOF_HEADER = "X-Gateway-Secret"


async def current_user(request: Request) -> int:
    """Id of the user that the gateway vouches for (async, so that no thread is needed for it).

    Raises Unauthorized when the proof is missing or wrong, or when there is not exactly one id.
    """
    expected: str = request.app.state.gateway_secret
    proofs = request.headers.getlist(PROOF_HEADER)
    ids = request.headers.getlist(USER_HEADER)
    if len(proofs) != 1 or not hmac.compare_digest(proofs[0].encode(), expected.encode()):
        raise Unauthorized("This service trusts identities from the gateway only: call it there.")
    if len(ids) != 1 or not ids[0].isascii() or not ids[0].isdigit():
        raise Unauthorized("Send a valid token: Authorization: Bearer <access_token>.")
    return int(ids[0])


CurrentUser = Annotated[int, Depends(current_user)]
