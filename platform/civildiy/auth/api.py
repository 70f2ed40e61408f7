"""The HTTP side of auth."""

import logging

from fastapi import APIRouter, Request, Response, status

from civildiy.auth.schemas import Credentials, KeySet, NewUser, Token, User, Validation
from civildiy.auth.state import Accounts, Service, TokenValidator
from civildiy.auth.tokens import TokenRefused, issue
from civildiy.chassis.errors import NotFound, Unauthorized
from civildiy.chassis.http import UNROUTED
from civildiy.chassis.identity.caller import USER_HEADER
from civildiy.chassis.problems import documented
from civildiy.chassis.strings import spellings
from civildiy.chassis.text import shortened

log = logging.getLogger(__name__)

PREFIX = "/api/auth"
router = APIRouter(prefix=PREFIX, tags=["auth"])
gateway_router = APIRouter(include_in_schema=False)


TOO_MANY = {"description": "Too many attempts. The gateway answers this, in plain text, with Retry-After."}


@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    responses=documented(400, 409, 413, 422, 503) | {429: TOO_MANY},
)
async def register(new: NewUser, service: Service) -> User:
    """Create an account."""
    with service.registering.place():
        hashed = await service.passwords.hash(new.password)
    return await service.users.add(new.email, new.username, hashed)


@router.post("/login", responses=documented(400, 401, 413, 422, 503) | {429: TOO_MANY})
async def login(given: Credentials, service: Service) -> Token:
    """Exchange email and password for a token. A wrong email and a wrong password get the same answer."""
    known = "\x00" not in given.email and given.email.isprintable()
    account = await service.users.by_email(given.email) if known else None
    with service.logging_in.place():
        good = await _matches(service, given.password, account.password_hash if account else None)
    if not good or account is None:
        raise Unauthorized("Email or password is wrong.")
    key_id, key = service.ring.signing
    token = issue(account.id, service.issuer, key_id, key)
    return Token(access_token=token, expires_in=service.issuer.seconds)


async def _matches(service: Accounts, password: str, stored: str | None) -> bool:
    """Return whether one spelling of `password` belongs to the hash."""
    for spelling in spellings(password):
        if await service.passwords.verify(spelling, stored):
            return True
    return False


@router.get("/validate", responses=documented(401, 503), response_model=Validation)
async def validate(request: Request, validator: TokenValidator) -> Response:
    """Answer the gateway: the X-User-ID header names the user of the token."""
    headers = request.headers.getlist("authorization")
    try:
        if len(headers) > 1:
            raise TokenRefused("there are two Authorization headers")
        user_id = await validator.user_id(headers[0] if headers else None)
    except TokenRefused as refused:
        log.debug("token refused: %s", shortened(refused))
        raise Unauthorized(
            f"Log in and send the token as Authorization: Bearer <access_token> ({shortened(refused)}).",
            invalid_token=bool(headers),
        ) from refused
    return Response(
        b'{"user_id":%d}' % user_id,
        media_type="application/json",
        headers={USER_HEADER: str(user_id)},
    )


@router.get("/.well-known/jwks.json")
async def jwks(service: Service) -> KeySet:
    """List the public keys, with which any service can check a token by itself."""
    return KeySet(keys=service.ring.published())


@gateway_router.get(UNROUTED + "{path:path}")
async def unrouted(path: str) -> None:
    """Answer a request, of any method, that no rule of the gateway matches."""
    raise NotFound(f"There is nothing at {shortened(path)}.")
