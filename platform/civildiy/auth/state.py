"""The objects that auth creates at its start, and the dependencies with which an endpoint gets them."""

from dataclasses import dataclass, field
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from civildiy.auth.admission import Admission
from civildiy.auth.keys import KeyRing
from civildiy.auth.passwords import Passwords
from civildiy.auth.tokens import Issuer
from civildiy.auth.users import Users
from civildiy.auth.validation import Validator


@dataclass(frozen=True)
class Accounts:
    """What registration and login work with."""

    users: Users
    passwords: Passwords
    ring: KeyRing
    issuer: Issuer
    registering: Admission = field(default_factory=lambda: Admission("registering"))
    logging_in: Admission = field(default_factory=lambda: Admission("logging in"))


class AuthState(TypedDict):
    """Lifespan state: created once, shared by all requests of this process."""

    accounts: Accounts
    validator: Validator


# Each getter is async, because FastAPI calls an ordinary function in a worker thread.


async def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.state.accounts
    return accounts


async def _validator(request: Request) -> Validator:
    validator: Validator = request.state.validator
    return validator


Service = Annotated[Accounts, Depends(_accounts)]
TokenValidator = Annotated[Validator, Depends(_validator)]
