"""Profiles in PostgreSQL, by SQLAlchemy's ORM."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, TypeDecorator, func, select
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from civildiy.chassis.errors import Conflict, NotFound
from civildiy.profile.schemas import Profile

ATTEMPTS = 20
"""How often a change is tried again after another change of the same profile came first."""


class JsonObject(TypeDecorator[dict[str, Any]]):
    """A JSON object whose changes SQLAlchemy finds by comparing its text.

    SQLAlchemy writes a column only if its value has changed. In Python 1 == True and 1 == 1.0, so with ==
    a change from 1 to true would not be written, although JSON tells them apart.
    """

    impl = JSONB
    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        """Return whether two values are equal as JSON; the order of names does not count."""
        return json.dumps(x, sort_keys=True) == json.dumps(y, sort_keys=True)


class Base(DeclarativeBase):
    """Root of the mapped classes."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JsonObject,
        int: BigInteger,
    }


class UserProfile(Base):
    """One row for each user who made a profile.

    `version` is checked at each write (optimistic locking), so of two changes at once neither
    overwrites the other unseen.
    """

    __tablename__ = "user_profiles"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(unique=True)
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    dob: Mapped[date | None]
    address: Mapped[str | None]
    city: Mapped[str | None]
    state: Mapped[str | None]
    zip_code: Mapped[str | None]
    country: Mapped[str | None]
    phone: Mapped[str | None]
    bio: Mapped[str | None]
    preferences: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version, "eager_defaults": True}  # noqa: RUF012


class ProfileStore:
    """All reads and writes of profiles. SQLAlchemy's other errors mean that PostgreSQL is unavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    async def create(self, user_id: int, fields: Mapping[str, Any]) -> Profile:
        """Insert the first profile of a user and return it. Raises Conflict if the user has one already.

        Example: `await create(7, {"city": "Bonn"})` returns a profile with this city; a second call raises
        Conflict.

        `fields` maps column names to values. `self._session()` makes a session: `async with self._session()
        as session`. `session.add(row)` takes a new `UserProfile`; `await session.commit()` sends the
        INSERT, and raises IntegrityError if `user_id` exists. `_as_profile(row)` makes the answer.
        """
        row = UserProfile(user_id=user_id, **fields)
        async with self._session() as session:
            session.add(row)
            try:
                await session.commit()
            except IntegrityError as error:
                raise Conflict("You have a profile already; change it with PUT.") from error
            return _as_profile(row)

    async def get(self, user_id: int) -> Profile:
        """Return the profile of a user. Raises NotFound."""
        async with self._session() as session:
            return _as_profile(await self._row(session, user_id))

    async def update(self, user_id: int, changes: Mapping[str, Any]) -> Profile:
        """Change the fields in `changes` and no others, and return the profile. Raises NotFound and Conflict.

        Example: `await update(7, {"city": None})` empties the city and leaves the other fields as they are.

        At most ATTEMPTS times, each with a new session: `row = await self._row(session, user_id)` (raises
        NotFound), `setattr(row, name, value)` for each change, `await session.commit()`. The commit raises
        StaleDataError if another change was written after the read: then try again from the read.
        Raise Conflict after the last attempt.
        """
        for _ in range(ATTEMPTS):
            async with self._session() as session:
                row = await self._row(session, user_id)
                for name, value in changes.items():
                    setattr(row, name, value)
                try:
                    await session.commit()
                except StaleDataError:
                    continue  # another change came first: apply this one to the new state
                return _as_profile(row)
        raise Conflict("Others keep changing this profile; try again.")

    async def delete(self, user_id: int) -> None:
        """Delete the profile. Raises NotFound and Conflict."""
        for _ in range(ATTEMPTS):
            async with self._session() as session:
                await session.delete(await self._row(session, user_id))
                try:
                    await session.commit()
                except StaleDataError:
                    continue
                return
        raise Conflict("Others keep changing this profile; try again.")

    async def _row(self, session: AsyncSession, user_id: int) -> UserProfile:
        row = await session.scalar(select(UserProfile).where(UserProfile.user_id == user_id))
        if row is None:
            raise NotFound("You have no profile yet; create it with POST.")
        return row


def _as_profile(row: UserProfile) -> Profile:
    return Profile(**{name: getattr(row, name) for name in Profile.model_fields})
