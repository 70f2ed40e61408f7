"""The HTTP side of profile. There is one profile for each user: the token says whose.

FastAPI publishes each function's docstring in the OpenAPI document, up to the form feed `\\f`; the rest
of the docstring is for you.
"""

from fastapi import APIRouter, Response, status

from civildiy.chassis.app import Health, Readiness, failing
from civildiy.chassis.errors import Unavailable
from civildiy.chassis.identity.caller import CurrentUser
from civildiy.chassis.problems import documented
from civildiy.profile.schemas import Deleted, Profile, ProfileChange, ProfileInput
from civildiy.profile.state import PostgresqlAnswers, Store

PREFIX = "/api/profile"
router = APIRouter()


@router.get(f"{PREFIX}/health", tags=["operations"], summary="Liveness, through the gateway")
@router.get("/health", tags=["operations"], summary="Liveness")
async def health() -> Health:
    """Liveness: answer at once, without asking any other server.

    \f
    A restart of this process does not cure a database that is down, so the database must not decide
    here. Returns `Health(service="profile")`, which becomes 200 `{"status": "ok", "service": "profile"}`.
    """
    raise NotImplementedError("Lab 01, step 1: write health")


@router.get("/ready", tags=["operations"], summary="Readiness", responses=documented(503))
async def ready(postgresql_answers: PostgresqlAnswers) -> Readiness:
    """Readiness: can requests be served now? 503 names each dependency that does not answer.

    \f
    `postgresql_answers` is an async function without arguments: it sends the database a small query and
    raises an exception if it fails. `await failing({"postgresql": check})` runs all checks of a dict at
    once, gives each two seconds, and returns the names that failed, as a sequence of str. Returns
    `Readiness(service="profile", dependencies=["postgresql"])`; raises `Unavailable("postgresql")`, which
    becomes a 503 that names it.
    """
    raise NotImplementedError("Lab 01, step 2: write ready")


@router.post(
    PREFIX,
    tags=["profile"],
    status_code=status.HTTP_201_CREATED,
    responses=documented(400, 401, 409, 413, 422, 503),
)
async def create(new: ProfileInput, user: CurrentUser, store: Store, response: Response) -> Profile:
    """Create the caller's profile; `Location` gives its address.

    \f
    `user` is the caller's id (int), as the gateway has found it out. `new.model_dump()` is a dict of
    all fields. `await store.create(user, fields)` returns the stored Profile and raises Conflict,
    which becomes a 409. `response.headers` is a dict of the answer's headers; the address is PREFIX.
    Example: POST {"city": "Paris"} is answered 201 with `Location: /api/profile`.
    """
    raise NotImplementedError("Lab 01, step 3: write create")


@router.get(PREFIX, tags=["profile"], responses=documented(401, 404, 503))
async def read(user: CurrentUser, store: Store) -> Profile:
    """Return the caller's profile.

    \f
    `await store.get(user)` returns it and raises NotFound, which becomes a 404; let it pass.
    """
    raise NotImplementedError("Lab 01, step 3: write read")


@router.put(PREFIX, tags=["profile"], responses=documented(400, 401, 404, 409, 413, 422, 503))
async def update(change: ProfileChange, user: CurrentUser, store: Store) -> Profile:
    """Change the fields that were sent; null empties a field.

    \f
    `await store.update(user, changes)` takes a dict of only the fields to change, returns the Profile
    after the change, and raises NotFound. `change.model_dump(exclude_unset=True)` leaves out what
    the client did not send. Example: PUT {"city": null} empties the city and nothing else.
    """
    raise NotImplementedError("Lab 01, step 4: write update")


@router.delete(PREFIX, tags=["profile"], responses=documented(401, 404, 409, 503))
async def delete(user: CurrentUser, store: Store) -> Deleted:
    """Remove the caller's profile.

    \f
    `await store.delete(user)` returns None and raises NotFound. Returns `Deleted(user_id=user)`.
    """
    raise NotImplementedError("Lab 01, step 4: write delete")
