"""What auth takes and answers."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from civildiy.chassis.strings import email_address, of_length, opaque, refuse_controls
from civildiy.chassis.text import storable_text

Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{2,29}$")]
LONGEST_TYPED = 512
"""Characters of a password as it is typed: decomposed, each of the 128 may take several."""
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
    """The form in which an account keeps this address, if it is one: without blanks, for instance."""
    try:
        return email_address(email)
    except ValueError:
        return email


class NewUser(_Input):
    """An account to be made. Email and username are unique whatever their letter case.

    A password may hold any character that can be typed. How it is encoded does not matter (RFC 8265).
    """

    email: Email
    username: Username
    password: Password


class Credentials(_Input):
    """What a person logs in with. Wrong shapes of either are simply wrong credentials."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=254), AfterValidator(_as_registered)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TYPED)]


class User(BaseModel):
    """An account as its owner sees it."""

    id: int
    email: str
    username: str


class Token(BaseModel):
    """An access token and the seconds for which it is good."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int


class Validation(BaseModel):
    """The token is good; the gateway takes the id from the X-User-ID header."""

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
