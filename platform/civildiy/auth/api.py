"""The HTTP side of auth."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status

from civildiy.auth.admission import Admission
from civildiy.auth.keys import KeyRing
from civildiy.auth.passwords import Passwords
from civildiy.auth.schemas import Credentials, KeySet, NewUser, Token, User, Validation
from civildiy.auth.tokens import Issuer, TokenRefused, issue
from civildiy.auth.users import Users
from civildiy.auth.validation import Validator
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


class Accounts:
    """What the endpoints work with; made once per process."""

    def __init__(
        self,
        users: Users,
        passwords: Passwords,
        ring: KeyRing,
        issuer: Issuer,
        validator: Validator,
    ) -> None:
        self.users = users
        self.passwords = passwords
        self.ring = ring
        self.issuer = issuer
        self.validator = validator
        self.registering = Admission("registering")
        self.logging_in = Admission("logging in")


async def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


Service = Annotated[Accounts, Depends(_accounts)]


TOO_MANY = {"description": "Too many tries: said by the gateway, in plain text, with Retry-After"}


@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    responses=documented(400, 409, 413, 422, 503) | {429: TOO_MANY},
)
async def register(new: NewUser, service: Service) -> User:
    """Make an account."""
    with service.registering.place():
        hashed = await service.passwords.hash(new.password)
    return await service.users.add(new.email, new.username, hashed)


@router.post("/login", responses=documented(400, 401, 413, 422, 503) | {429: TOO_MANY})
async def login(given: Credentials, service: Service) -> Token:
    """Exchange email and password for a token. Both mistakes get the same answer."""
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
    """Whether one spelling of `password` belongs to the hash."""
    for spelling in spellings(password):
        if await service.passwords.verify(spelling, stored):
            return True
    return False


@router.get("/validate", responses=documented(401, 503), response_model=Validation)
async def validate(request: Request) -> Response:
    """Tell the gateway who a token stands for, in the X-User-ID header."""
    given = request.headers.getlist("authorization")
    try:
        if len(given) > 1:
            raise TokenRefused("there are two Authorization headers")
        # Straight from the state: this is asked for every protected request of the whole system.
        accounts: Accounts = request.app.state.accounts
        user_id = await accounts.validator.user_id(given[0] if given else None)
    except TokenRefused as refused:
        log.debug("token refused: %s", shortened(refused))
        raise Unauthorized(
            f"Log in and send the token as Authorization: Bearer <access_token> ({shortened(refused)}).",
            invalid_token=bool(given),
        ) from refused
    return Response(
        b'{"user_id":%d}' % user_id,
        media_type="application/json",
        headers={USER_HEADER: str(user_id)},
    )


@router.get("/.well-known/jwks.json")
async def jwks(service: Service) -> KeySet:
    """Public keys: with them anybody can check a token without asking."""
    return KeySet(keys=service.ring.published())


@gateway_router.get(UNROUTED + "{path:path}")
async def unrouted(path: str) -> None:
    """Answer a request, of any method, that no rule of the gateway matches."""
    raise NotFound(f"There is nothing at {shortened(path)}.")
