"""The event envelope, one JSON document by the standard CloudEvents 1.0, and the versions of its data.

Each event carries the whole state of its post, so a consumer need not call the posts service, and
it recognises a late event by its `postversion` alone. Events of schema version 1 are still read.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

POSTS_TOPIC = "posts-events"
DEAD_LETTER_TOPIC = "posts-events-dlq"
MOST_PARTITIONS = 32
"""More would cost one machine more than they bring: each has its files, its lease and its turn."""
SOURCE = "/civildiy/posts"
SCHEMA_VERSION: Literal[2] = 2

Put = Literal["post.created", "post.updated"]
Removal = Literal["post.deleted", "post.expired"]
EVENT_TYPES = ("post.created", "post.updated", "post.deleted", "post.expired")
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")
"""The header of each record, by which any CloudEvents library knows what it holds (structured mode)."""


def _in_utc(time: datetime) -> datetime:
    """The same moment in UTC; the first and last day of all years may have none."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a time between the years 1 and 9999 in UTC") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
PostId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]


class Data(BaseModel):
    """What every event says about its post."""

    model_config = ConfigDict(frozen=True)

    post_id: PostId
    user_id: Annotated[int, Field(ge=1, le=2**63 - 1)]


class PostDataV1(Data):
    """State of a post in the first version of the schema."""

    title: str
    body: str


class PostData(Data):
    """State of a post: version 2 named the text as the API does, and added tags and times."""

    title: str
    content: str
    tags: list[str]
    created_at: Moment
    updated_at: Moment
    expires_at: Moment | None


class _Envelope(BaseModel):
    """CloudEvents attributes. `schemaversion`, `postversion` and `traceparent` are extensions."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1, max_length=100)]
    source: str
    subject: str
    time: Moment
    datacontenttype: Literal["application/json"]
    postversion: Annotated[int, Field(ge=1, le=2**53)]
    traceparent: str


class PutV1(_Envelope):
    """A post was created or updated, version 1."""

    type: Put
    schemaversion: Literal[1]
    data: PostDataV1


class RemovalV1(_Envelope):
    """A post is gone, version 1."""

    type: Removal
    schemaversion: Literal[1]
    data: Data


class PostPut(_Envelope):
    """A post was created or updated: this is its whole state now."""

    type: Put
    schemaversion: Literal[2]
    data: PostData


class PostRemoved(_Envelope):
    """A post was deleted by its owner, or expired."""

    type: Removal
    schemaversion: Literal[2]
    data: Data


PostEvent = PostPut | PostRemoved

VERSIONS: dict[int, TypeAdapter[Any]] = {
    1: TypeAdapter(PutV1 | RemovalV1),
    2: TypeAdapter(PostPut | PostRemoved),
}
"""Every version that was ever published. Their JSON Schemas are kept in docs/events/."""


class UnknownType(Exception):
    """A well-formed event of a type that this consumer does not know: skip it, count it."""


class PoisonEvent(Exception):
    """Bytes that will never be a usable event; the text is the reason kept with the dead letter."""


def _from_v1(event: PutV1 | RemovalV1) -> dict[str, Any]:
    """Return an event of schema version 1 as a dict in the shape of version 2; this is called upcasting.

    Example: in the data, `"body": "Oak"` becomes `"content": "Oak", "tags": [], …, "expires_at": None`.

    Start from `event.model_dump()`, and set `schemaversion` to 2. A removal needs no more. In the `data` of a
    PutV1, `body` becomes `content`, and what version 1 did not have gets a neutral value: `tags` [],
    `created_at` and `updated_at` `event.time` (the best time that is known), `expires_at` None.
    """
    raise NotImplementedError("Lab 06, step 5: write _from_v1")


UPCASTERS: dict[int, Callable[[Any], dict[str, Any]]] = {1: _from_v1}
"""From each old version to the next one."""


LONGEST_EVENT = 256 * 1024
"""Bytes. Our own largest event has half as many, and a record of 1 MB can become 30 MB of objects."""


def decode(raw: bytes | None) -> PostEvent:
    """The event in `raw`, upcast to the current version.

    Raises UnknownType for an event type that is not ours, PoisonEvent for anything unusable.
    """
    if raw is None:
        raise PoisonEvent("the record has no value")
    if len(raw) > LONGEST_EVENT:
        raise PoisonEvent(f"{len(raw)} bytes, and an event has {LONGEST_EVENT} at most")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise PoisonEvent(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise PoisonEvent("not a JSON object")
    kind = document.get("type")
    if isinstance(kind, str) and kind not in EVENT_TYPES and document.get("specversion") == "1.0":
        raise UnknownType(kind[:100])
    version = document.get("schemaversion")
    if not isinstance(version, int) or version not in VERSIONS:
        raise PoisonEvent(f"schemaversion {version!r:.100} is not one of {sorted(VERSIONS)}")
    try:
        event = VERSIONS[version].validate_python(document, strict=False)
        while version != SCHEMA_VERSION:
            upcast = UPCASTERS[version](event)
            version += 1
            event = VERSIONS[version].validate_python(upcast)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PoisonEvent(f"{where}: {first['msg']}") from error
    checked: PostEvent = event
    return checked


def encode(event: PostEvent) -> bytes:
    """The event as it goes on the topic."""
    return event.model_dump_json().encode()
