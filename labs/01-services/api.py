"""The HTTP side of profile. There is one profile for each user: the token says whose."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status

from civildiy.chassis.app import Health, Readiness, failing
from civildiy.chassis.identity.caller import CurrentUser
from civildiy.chassis.problems import Unavailable, documented
from civildiy.profile.schemas import Deleted, Profile, ProfileChange, ProfileInput
from civildiy.profile.store import ProfileStore

PREFIX = "/api/profile"
router = APIRouter()


async def _store(request: Request) -> ProfileStore:
    store: ProfileStore = request.app.state.store
    return store


Store = Annotated[ProfileStore, Depends(_store)]


@router.get(f"{PREFIX}/health", tags=["operations"], summary="Liveness, through the gateway")
@router.get("/health", tags=["operations"], summary="Liveness")
async def health() -> Health:
    """The process runs and answers. It asks nobody: a restart does not cure a database that is away."""
    raise NotImplementedError("Lab 01, step 1: write health")


@router.get("/ready", tags=["operations"], summary="Readiness", responses=documented(503))
async def ready(request: Request) -> Readiness:
    """Whether requests can be served now; 503 names every dependency that does not answer.

    `request.app.state.postgresql_answers()` asks the database something small and raises when it
    does not answer.
    """
    raise NotImplementedError("Lab 01, step 2: write ready")


@router.post(
    PREFIX,
    tags=["profile"],
    status_code=status.HTTP_201_CREATED,
    responses=documented(400, 401, 409, 413, 422, 503),
)
async def create(new: ProfileInput, user: CurrentUser, store: Store, response: Response) -> Profile:
    """Make one's own profile; `Location` says where it is."""
    raise NotImplementedError("Lab 01, step 3: write create")


@router.get(PREFIX, tags=["profile"], responses=documented(401, 404, 503))
async def read(user: CurrentUser, store: Store) -> Profile:
    """Read one's own profile."""
    raise NotImplementedError("Lab 01, step 3: write read")


@router.put(PREFIX, tags=["profile"], responses=documented(400, 401, 404, 409, 413, 422, 503))
async def update(change: ProfileChange, user: CurrentUser, store: Store) -> Profile:
    """Change the fields that are sent; null empties a field."""
    raise NotImplementedError("Lab 01, step 4: write update")


@router.delete(PREFIX, tags=["profile"], responses=documented(401, 404, 409, 503))
async def delete(user: CurrentUser, store: Store) -> Deleted:
    """Remove one's own profile."""
    raise NotImplementedError("Lab 01, step 4: write delete")
