"""The HTTP side of profile. There is one profile for each user: the token says whose."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status

from civildiy.chassis.identity import CurrentUser
from civildiy.chassis.problems import documented
from civildiy.profile.schemas import Deleted, Profile, ProfileInput
from civildiy.profile.store import ProfileStore

PREFIX = "/api/profile"
router = APIRouter(prefix=PREFIX, tags=["profile"])


async def _store(request: Request) -> ProfileStore:
    store: ProfileStore = request.app.state.store
    return store


Store = Annotated[ProfileStore, Depends(_store)]


@router.post("", status_code=status.HTTP_201_CREATED, responses=documented(400, 401, 409, 413, 422, 503))
async def create(new: ProfileInput, user: CurrentUser, store: Store) -> Profile:
    """Make one's own profile."""
    return await store.create(user, new.model_dump())


@router.get("", responses=documented(401, 404, 503))
async def read(user: CurrentUser, store: Store) -> Profile:
    """Read one's own profile."""
    return await store.get(user)


@router.put("", responses=documented(400, 401, 404, 409, 413, 422, 503))
async def update(change: ProfileInput, user: CurrentUser, store: Store) -> Profile:
    """Change the fields that are sent; null empties a field."""
    return await store.update(user, change.model_dump(exclude_unset=True))


@router.delete("", responses=documented(401, 404, 409, 503))
async def delete(user: CurrentUser, store: Store) -> Deleted:
    """Remove one's own profile."""
    await store.delete(user)
    return Deleted(user_id=user)
