"""What auth takes and answers."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, StringConstraints
from pydantic.networks import validate_email

from civildiy.chassis.text import storable_text

Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{2,29}$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=128), AfterValidator(storable_text)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _as_registered(email: str) -> str:
    """The form in which an account keeps this address, if it is one: without blanks, for instance."""
    try:
        return validate_email(email)[1]
    except ValueError:
        return email


class NewUser(_Input):
    """An account to be made. Email and username are unique whatever their letter case."""

    email: Annotated[EmailStr, Field(max_length=254)]
    username: Username
    password: Password


class Credentials(_Input):
    """What a person logs in with. Wrong shapes of either are simply wrong credentials."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=254), AfterValidator(_as_registered)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=128)]


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
