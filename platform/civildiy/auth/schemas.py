"""The requests and answers of auth's API."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from civildiy.chassis.strings import Formed, email_address, of_length, opaque, refuse_controls
from civildiy.chassis.text import storable_text

Username = Annotated[
    str,
    Formed(
        "[A-Za-z0-9][A-Za-z0-9_.-]{2,29}",
        "3 to 30 of the characters A-Z, a-z, 0-9 and `._-`, and begin with a letter or digit",
    ),
]
LONGEST_TYPED = 512
"""In characters as typed: decomposed, each of the 128 characters of a password may take several."""
Email = Annotated[
    str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(email_address)
]
Password = Annotated[
    str,
    Field(max_length=LONGEST_TYPED, json_schema_extra={"minLength": 8, "maxLength": 128}),
    AfterValidator(storable_text),
    AfterValidator(refuse_controls),
    AfterValidator(opaque),
    AfterValidator(of_length(8, 128)),
]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _as_registered(email: str) -> str:
    """Return the address in the form that an account keeps, for example without spaces around it."""
    try:
        return email_address(email)
    except ValueError:
        return email


class NewUser(_Input):
    """A new account. Email and username are unique whatever their letter case.

    A password may hold any character that can be typed. How it is encoded does not matter (RFC 8265).
    """

    email: Email
    username: Username
    password: Password


class Credentials(_Input):
    """Email and password of a login. A value of a wrong shape is treated as wrong credentials."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=254), AfterValidator(_as_registered)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TYPED)]


class User(BaseModel):
    """An account as its owner sees it."""

    id: int
    email: str
    username: str


class Token(BaseModel):
    """An access token, and for how many seconds it is valid."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int


class Validation(BaseModel):
    """The token is valid; the gateway reads the user's id from the X-User-ID header."""

    user_id: int


class PublicKey(BaseModel):
    """One Ed25519 public key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str


class KeySet(BaseModel):
    """All keys whose tokens are accepted (RFC 7517)."""

    keys: list[PublicKey]
