"""The requests and answers of the posts API."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from civildiy.chassis.pages import PAGE_BYTES
from civildiy.chassis.strings import Decimal, Formed, of_length, tag
from civildiy.chassis.text import Text, without
from civildiy.posts.document import ChangedFields, StoredPost

Title = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Content = Annotated[Text, StringConstraints(min_length=1, max_length=20_000)]
Tag = Annotated[
    Text,
    Field(max_length=200, json_schema_extra={"minLength": 1, "maxLength": 50}),
    AfterValidator(tag),
    AfterValidator(of_length(1, 50)),
]
Tags = Annotated[list[Tag], Field(max_length=20)]
SET_BY_THE_SERVICE = ("id", "user_id", "created_at", "updated_at", "version")


def _written_out(value: object) -> object:
    if isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}[Tt ]", value):
        raise ValueError("must be a date and time such as 2030-01-31T12:00:00Z")
    if isinstance(value, int | float):
        raise ValueError("must be text, such as 2030-01-31T12:00:00Z")
    return value


Expiry = Annotated[AwareDatetime | None, Field(strict=False), BeforeValidator(_written_out)]
PostId = Annotated[str, Formed("[0-9a-f]{24}", "the id of a post: 24 of the characters 0-9 and a-f")]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("expires_at", mode="after", check_fields=False)
    @classmethod
    def _in_the_future(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        try:
            in_utc = value.astimezone(UTC)
        except OverflowError:  # the first or last day of Python's calendar, in another time zone
            raise ValueError("must be a time between the years 1 and 9999 in UTC") from None
        if in_utc <= datetime.now(UTC):
            raise ValueError("must be in the future")
        # MongoDB keeps milliseconds: what is answered now is what is answered later.
        return in_utc.replace(microsecond=in_utc.microsecond // 1000 * 1000)


class NewPost(_Input):
    """A post as its author sends it. `expires_at` needs a time zone."""

    title: Title
    content: Content
    tags: Tags = []
    expires_at: Expiry = None


class PostChange(_Input):
    """The fields to change; what is not sent stays as it is, and null removes `expires_at`.

    A whole post, as GET answers it, is accepted too: the fields that only the service can set are ignored.
    """

    title: Title | None = None
    content: Content | None = None
    tags: Tags | None = None
    expires_at: Expiry = None

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_read(cls, value: object) -> object:
        return without(value, SET_BY_THE_SERVICE)

    @field_validator("title", "content", "tags", mode="after")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("cannot be null; leave it out to keep it")
        return value

    def fields(self) -> ChangedFields:
        """Return the fields that the client sent, with their new values."""
        return cast(ChangedFields, self.model_dump(exclude_unset=True))


class Post(BaseModel):
    """A post as every reader sees it."""

    id: str
    user_id: int
    title: str
    content: str
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    version: int

    @classmethod
    def of(cls, post: StoredPost) -> "Post":
        """Return what the API shows of a stored post."""
        return cls(
            id=str(post["_id"]),
            user_id=post["user_id"],
            title=post["title"],
            content=post["content"],
            tags=post["tags"],
            created_at=post["created_at"],
            updated_at=post["updated_at"],
            expires_at=post["expires_at"],
            version=post["version"],
        )


def fitting(posts: Sequence[StoredPost]) -> list[Post]:
    """Return the posts that a page has room for, from the first one on, which always fits."""
    items: list[Post] = []
    room = PAGE_BYTES
    for post in posts:
        room -= len(post["content"].encode())
        if room < 0 and items:
            break
        items.append(Post.of(post))
    return items


class PostPage(BaseModel):
    """Some posts, newest first; `total` is the number of all posts of the author.

    For the posts of all authors `total` is an estimate: some of them may be about to be removed. Send `next`
    as `before` to get the page after this one; it is null at the end. A page of long posts ends after
    512 KiB, before it has `limit` items.
    """

    items: list[Post]
    total: int
    limit: int
    skip: int
    next: str | None


class Deleted(BaseModel):
    """The post is deleted for readers; its feed entries disappear within moments."""

    deleted: bool = True
    id: str


class PageQuery(BaseModel):
    """The posts to list.

    `before` is the id of the last post that the client has seen. Pages by `before` do not shift while posts
    are added; pages by `skip` do.
    """

    model_config = ConfigDict(extra="forbid")

    user_id: Annotated[int | None, Field(ge=1, le=2**63 - 1), Decimal] = None
    before: PostId | None = None
    limit: Annotated[int, Field(ge=1, le=100), Decimal] = 20
    skip: Annotated[int, Field(ge=0, le=1_000_000), Decimal] = 0
