"""The fields that profile accepts and returns."""

import datetime
import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from civildiy.chassis.text import Text, json_bytes, storable_json, without

SET_BY_THE_SERVICE = ("id", "user_id", "created_at", "updated_at")
MAX_PREFERENCES_BYTES = 64 * 1024
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


Line = Annotated[Text, StringConstraints(max_length=100)] | None
Address = Annotated[Text, StringConstraints(max_length=300)] | None
Biography = Annotated[Text, StringConstraints(max_length=5000)] | None


def _preferences(value: dict[str, Any]) -> dict[str, Any]:
    storable_json(value)
    if json_bytes(value) > MAX_PREFERENCES_BYTES:
        raise ValueError(f"must not take more than {MAX_PREFERENCES_BYTES} bytes as JSON")
    return value


def _or_empty(value: object) -> object:
    return {} if value is None else value


Preferences = Annotated[
    dict[str, Any],
    AfterValidator(_preferences),
    BeforeValidator(_or_empty, json_schema_input_type=dict[str, Any] | None),
]


class ProfileInput(BaseModel):
    """The fields of a profile as its owner sends them; a field that is not sent stays as it is."""

    # ConfigDict(extra="forbid") refuses fields that the model does not have, strict=True values of another
    # type, such as a number for a name.
    model_config = ConfigDict(extra="forbid", strict=True)

    first_name: Line = None
    last_name: Line = None
    dob: Annotated[datetime.date | None, Field(strict=False, description="date of birth")] = None
    address: Address = None
    city: Line = None
    state: Line = None
    zip_code: Line = None
    country: Line = None
    phone: Line = None
    bio: Biography = None
    preferences: Preferences = {}

    @field_validator("dob", mode="before")
    @classmethod
    def _iso_date(cls, value: object) -> object:
        """Return `value` if it is None, or a string that ISO_DATE matches from end to end.

        Pydantic calls this with `dob` as it was sent, before it makes a date of it, and makes a 422 of a
        ValueError. Examples: "1990-12-31" is returned; 0, "631152000" and "31.12.1990" are refused.
        """
        # Without this a number, also one in quotes, would be read as a Unix time.
        if value is not None and not (isinstance(value, str) and ISO_DATE.fullmatch(value)):
            raise ValueError("must be text such as 1990-12-31")
        return value

    @field_validator("dob", mode="after")
    @classmethod
    def _plausible(cls, value: datetime.date | None) -> datetime.date | None:
        """Return `value` if it is None or lies between 1900-01-01 and `_tomorrow()`, both included.

        Example: 1990-05-04 is returned, and 1899-12-31 raises ValueError.

        Pydantic calls this with the date, stores what it returns, and makes a 422 of a ValueError.
        """
        if value is not None and not datetime.date(1900, 1, 1) <= value <= _tomorrow():
            raise ValueError("must lie between 1900-01-01 and tomorrow")
        return value


class ProfileChange(ProfileInput):
    """The fields to change; null empties a field.

    A whole profile, as GET answers it, is accepted too: the fields that only the service sets are ignored.
    """

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_read(cls, value: object) -> object:
        return without(value, SET_BY_THE_SERVICE)


def _tomorrow() -> datetime.date:
    """Today somewhere on Earth is tomorrow in UTC."""
    return datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)


class Profile(BaseModel):
    """A profile as its owner sees it."""

    id: int
    user_id: int
    first_name: str | None
    last_name: str | None
    dob: datetime.date | None
    address: str | None
    city: str | None
    state: str | None
    zip_code: str | None
    country: str | None
    phone: str | None
    bio: str | None
    preferences: dict[str, Any]
    created_at: datetime.datetime
    updated_at: datetime.datetime


class Deleted(BaseModel):
    """The profile is gone."""

    deleted: bool = True
    user_id: int
